#pragma once
// Taking back a database file that this process made and that came to hold nothing.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dxt::sql {

/// The file at a path and those beside it (write-ahead log, journal) at one moment, and
/// the way to remove them if that moment still lasts. Keeps a descriptor of the file:
/// closing it drops this process's POSIX locks on it, so it must go after every
/// connection of this process to the file is closed.
class MadeFile {
 public:
  /// Null when there is no regular file. `beside`: paths that may exist or not. Look
  /// while nobody else can write: what was proved of the contents then holds for Remove.
  static std::unique_ptr<MadeFile> Look(const std::string& path,
                                        std::vector<std::string> beside);
  ~MadeFile();
  MadeFile(const MadeFile&) = delete;
  MadeFile& operator=(const MadeFile&) = delete;

  int64_t size() const { return main_.size; }
  /// True when one of `beside` existed.
  bool HasBeside() const;

  /// Removes the file and those beside it, unless any of them was written since Look or
  /// anybody has the file open; true when it is gone. Whoever opens it meanwhile finds it
  /// whole, or finds none: a lease of the kernel is held over the removal. Where the file
  /// system gives no lease (network file systems) the file stays.
  bool Remove();

  /// Removes what a process that was killed in Remove() had already taken from its name,
  /// unless it was written since. Call before a file is made at `path`.
  static void Sweep(const std::string& path);

 private:
  struct Imprint {
    bool there = false;
    uint64_t device = 0, inode = 0, links = 0;
    int64_t size = 0, changed_s = 0, changed_ns = 0;
    bool operator==(const Imprint&) const = default;
  };
  static Imprint Of(const std::string& path);
  /// What every name of a file that was at `path` and is being removed begins with.
  static std::string AsidePrefix(const std::string& path);
  static std::string AsideName(const std::string& path, const Imprint& imprint);
  explicit MadeFile(int descriptor) : descriptor_(descriptor) {}
  std::string Head() const;

  std::string path_;
  int descriptor_;
  Imprint main_;
  std::string head_;
  std::vector<std::pair<std::string, Imprint>> beside_;
};

}  // namespace dxt::sql
