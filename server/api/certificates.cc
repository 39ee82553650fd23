#include "server/api/certificates.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/error.h"

namespace dxt {
namespace {

using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using BioPointer = std::unique_ptr<BIO, decltype(&BIO_free)>;

arrow::Status Refuse(const std::string& message) {
  return MakeError(ErrorClass::kConfig, "server.certificate", message,
                   "Check tls.cert, tls.key and tls.client_ca");
}

arrow::Result<std::string> Read(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return Refuse("cannot read " + path.string() + ": " +
                  (errno != 0 ? std::strerror(errno) : "it is empty"));
  }
  return text.str();
}

BioPointer Memory(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

arrow::Result<X509Pointer> ParseCertificate(const std::string& text,
                                            const std::filesystem::path& path) {
  const BioPointer bio = Memory(text);
  X509Pointer parsed(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  if (!parsed) return Refuse(path.string() + " holds no PEM certificate");
  if (X509_cmp_current_time(X509_get0_notAfter(parsed.get())) <= 0) {
    return Refuse("the certificate in " + path.string() + " has expired");
  }
  return parsed;
}

}  // namespace

arrow::Result<std::shared_ptr<Certificates>> Certificates::Load(
    const std::filesystem::path& cert, const std::filesystem::path& key,
    const std::filesystem::path& client_ca) {
  std::shared_ptr<Certificates> certificates(new Certificates(cert, key, client_ca));
  ARROW_RETURN_NOT_OK(certificates->Reload());
  return certificates;
}

arrow::Status Certificates::Reload() {
  CertificateTexts texts;
  ARROW_ASSIGN_OR_RAISE(texts.cert, Read(cert_));
  ARROW_ASSIGN_OR_RAISE(texts.key, Read(key_));
  ARROW_ASSIGN_OR_RAISE(const auto cert, ParseCertificate(texts.cert, cert_));
  const BioPointer bio = Memory(texts.key);
  const KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr),
                       EVP_PKEY_free);
  if (!key) return Refuse(key_.string() + " holds no PEM private key");
  if (X509_check_private_key(cert.get(), key.get()) != 1) {
    return Refuse("the key in " + key_.string() +
                  " is not the one of the certificate in " + cert_.string());
  }
  if (!client_ca_.empty()) {
    ARROW_ASSIGN_OR_RAISE(texts.client_ca, Read(client_ca_));
    ARROW_RETURN_NOT_OK(ParseCertificate(texts.client_ca, client_ca_).status());
  }
  std::lock_guard lock(mutex_);
  texts_ = std::move(texts);
  ++generation_;
  return arrow::Status::OK();
}

CertificateTexts Certificates::texts() const {
  std::lock_guard lock(mutex_);
  return texts_;
}

}  // namespace dxt
