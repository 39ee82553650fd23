#include "state/seal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace dxt {
namespace {

static_assert(Sealer::kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
/// Says how the rest is sealed, so that it can be done otherwise one day.
constexpr char kFormat = 1;

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

arrow::Status KeyError(const std::filesystem::path& file, const std::string& why) {
  return MakeError(ErrorClass::kConfig, "state.key",
                   "cannot take the state key from " + file.string() + ": " + why,
                   "Restore the key file beside the state, or remove both runs that wait "
                   "and the file: a new one is made");
}

arrow::Status SystemError(const std::filesystem::path& file) {
  return KeyError(file, std::strerror(errno));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

/// The whole of a small file.
arrow::Result<std::string> ReadKeyFile(const std::filesystem::path& file) {
  const File opened(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.fd() < 0) return SystemError(file);
  struct stat about;
  if (fstat(opened.fd(), &about) != 0) return SystemError(file);
  if ((about.st_mode & (S_IRWXG | S_IRWXO) & ~S_IRGRP) != 0) {
    return KeyError(file, "others can read or change it; it must have mode 0600");
  }
  std::string bytes(256, '\0');
  const ssize_t size = pread(opened.fd(), bytes.data(), bytes.size(), 0);
  if (size < 0) return SystemError(file);
  bytes.resize(static_cast<size_t>(size));
  return bytes;
}

arrow::Status WriteAll(int fd, const uint8_t* bytes, size_t size) {
  while (size > 0) {
    const ssize_t wrote = write(fd, bytes, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return arrow::Status::IOError(std::strerror(errno));
    bytes += wrote;
    size -= static_cast<size_t>(wrote);
  }
  return arrow::Status::OK();
}

/// A key that is there whole or not at all, before anything is sealed with it.
arrow::Status MakeKeyFile(const std::filesystem::path& file) {
  const std::filesystem::path unfinished = file.string() + ".unfinished";
  unlink(unfinished.c_str());
  {
    const File made(
        open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (made.fd() < 0) return SystemError(file);
    uint8_t key[Sealer::kKeyBytes];
    randombytes_buf(key, sizeof key);
    const auto written = WriteAll(made.fd(), key, sizeof key);
    sodium_memzero(key, sizeof key);
    if (!written.ok() || fsync(made.fd()) != 0) return SystemError(file);
  }
  if (rename(unfinished.c_str(), file.c_str()) != 0) return SystemError(file);
  const File folder(open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() < 0 || fsync(folder.fd()) != 0) return SystemError(file);
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<Sealer> Sealer::Make(const std::filesystem::path& state_folder) {
  if (sodium_init() < 0) return KeyError(state_folder, "libsodium does not start");
  const auto file = state_folder / "key";
  if (access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
    ARROW_RETURN_NOT_OK(MakeKeyFile(file));
  }
  return MakeFromFile(file);
}

arrow::Result<Sealer> Sealer::MakeFromFile(const std::filesystem::path& file) {
  if (sodium_init() < 0) return KeyError(file, "libsodium does not start");
  ARROW_ASSIGN_OR_RAISE(std::string bytes, ReadKeyFile(file));
  Sealer sealer;
  size_t decoded = 0;
  if (bytes.size() == kKeyBytes) {
    std::memcpy(sealer.key_.data(), bytes.data(), kKeyBytes);
    decoded = kKeyBytes;
  } else {
    while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) {
      bytes.pop_back();
    }
    if (bytes.size() != 2 * kKeyBytes ||
        sodium_hex2bin(sealer.key_.data(), kKeyBytes, bytes.data(), bytes.size(), nullptr,
                       &decoded, nullptr) != 0) {
      decoded = 0;
    }
  }
  sodium_memzero(bytes.data(), bytes.size());
  if (decoded != kKeyBytes) {
    return KeyError(file, "it holds neither 32 bytes nor 64 hexadecimal digits");
  }
  return sealer;
}

Sealer::Sealer(Sealer&& other) noexcept : key_(other.key_) {
  sodium_memzero(other.key_.data(), other.key_.size());
}

Sealer::~Sealer() { sodium_memzero(key_.data(), key_.size()); }

std::string Sealer::Seal(std::string_view text, std::string_view context) const {
  std::string sealed(1 + kNonceBytes + text.size() + kTagBytes, kFormat);
  auto* const nonce = reinterpret_cast<uint8_t*>(sealed.data()) + 1;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, Bytes(text),
                                             text.size(), Bytes(context), context.size(),
                                             nullptr, nonce, key_.data());
  return sealed;
}

arrow::Result<std::string> Sealer::Open(std::string_view sealed,
                                        std::string_view context) const {
  constexpr size_t kOverhead = 1 + kNonceBytes + kTagBytes;
  if (sealed.size() >= kOverhead && sealed[0] == kFormat) {
    std::string text(sealed.size() - kOverhead, '\0');
    const uint8_t* const nonce = Bytes(sealed) + 1;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            reinterpret_cast<uint8_t*>(text.data()), nullptr, nullptr,
            nonce + kNonceBytes, sealed.size() - 1 - kNonceBytes, Bytes(context),
            context.size(), nonce, key_.data()) == 0) {
      return text;
    }
  }
  return MakeError(ErrorClass::kConfig, "state.unsealable",
                   "the stored values of run " + std::string(context) +
                       " do not open with this state folder's key",
                   "Restore the key that belongs to the state, or submit the run again");
}

}  // namespace dxt
