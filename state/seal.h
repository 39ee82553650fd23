#pragma once
// Encryption of what the state store keeps for a while but must not show: values of
// variables of runs that wait.
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <arrow/result.h>

namespace dxt {

/// Seals texts with one key (XChaCha20-Poly1305 with a random nonce each). Safe from any
/// thread; the key is wiped when it is destroyed.
class Sealer {
 public:
  static constexpr size_t kKeyBytes = 32;

  /// Takes the key from the file `key` of the state folder, and makes it, readable by the
  /// owner alone, if there is none. kConfig `state.key` for one that others can read or
  /// that is not a key.
  static arrow::Result<Sealer> Make(const std::filesystem::path& state_folder);
  /// Takes the key from a file that someone else made and keeps apart from the state,
  /// such as `$CREDENTIALS_DIRECTORY/dxt-key` of systemd: 32 bytes, or 64 hexadecimal
  /// digits.
  static arrow::Result<Sealer> MakeFromFile(const std::filesystem::path& file);

  Sealer(Sealer&& other) noexcept;
  Sealer& operator=(Sealer&&) = delete;
  ~Sealer();

  /// Returns bytes that Open gives `text` for. `context` (the id of the run) is bound to
  /// them, not stored: what is moved to another run does not open.
  std::string Seal(std::string_view text, std::string_view context) const;
  /// kConfig `state.unsealable` for bytes that were changed, moved, or sealed with
  /// another key.
  arrow::Result<std::string> Open(std::string_view sealed,
                                  std::string_view context) const;

 private:
  Sealer() = default;
  std::array<uint8_t, kKeyBytes> key_ = {};
};

}  // namespace dxt
