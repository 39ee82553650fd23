#pragma once
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include <arrow/result.h>

namespace dxt {

/// The server's certificate, its key and the certificates that sign clients, as PEM.
struct CertificateTexts {
  std::string cert, key;
  std::string client_ca;  ///< "" = clients show none.
};

/// Certificate files that can be read again while connections are open. Safe from any
/// thread.
class Certificates {
 public:
  /// kConfig "server.certificate" when a file cannot be read or key and certificate do
  /// not belong together.
  static arrow::Result<std::shared_ptr<Certificates>> Load(
      const std::filesystem::path& cert, const std::filesystem::path& key,
      const std::filesystem::path& client_ca);
  /// New connections get what the files hold now; on failure the old ones stay.
  arrow::Status Reload();

  CertificateTexts texts() const;
  /// Grows with each successful load.
  int generation() const { return generation_; }
  bool wants_client() const { return !client_ca_.empty(); }

 private:
  Certificates(std::filesystem::path cert, std::filesystem::path key,
               std::filesystem::path client_ca)
      : cert_(std::move(cert)), key_(std::move(key)), client_ca_(std::move(client_ca)) {}

  const std::filesystem::path cert_, key_, client_ca_;
  mutable std::mutex mutex_;
  CertificateTexts texts_;
  std::atomic<int> generation_{0};
};

}  // namespace dxt
