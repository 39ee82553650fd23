#pragma once
#include <filesystem>
#include <string>

namespace dxt {

/// A certificate and its key, as PEM.
struct TestCertificate {
  std::string cert, key;
};

/// A certificate for localhost and 127.0.0.1 named `name`, signed by `signer`, or by
/// itself (and then able to sign others) without one.
TestCertificate MakeCertificate(const std::string& name,
                                const TestCertificate* signer = nullptr);

void WriteText(const std::filesystem::path& path, const std::string& text);

}  // namespace dxt
