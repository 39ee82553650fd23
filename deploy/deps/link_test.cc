// Checks what only shows when everything dxt links is in one process: which OpenSSL
// serves it, that no .proto file is registered twice (which aborts before main), and that
// Arrow, DuckDB and libpq load beside gRPC.

#include <arrow/config.h>
#include <dlfcn.h>
#include <google/protobuf/descriptor.h>
#include <google/rpc/error_details.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <parquet/arrow/writer.h>
#include <sqlite3.h>

#include <string>

extern "C" uint8_t duckdb_adbc_init(int version, void* driver, void* error);

namespace {

/// Names the shared library that serves a symbol to the whole process.
std::string LibraryOf(const char* symbol) {
  void* address = dlsym(RTLD_DEFAULT, symbol);
  Dl_info info;
  if (address == nullptr || dladdr(address, &info) == 0) return "none";
  return info.dli_fname;
}

TEST(Link, TheSystemsOpenSslServesEveryLibrary) {
  for (const char* symbol : {"EVP_CIPHER_CTX_new", "EVP_EncryptInit_ex", "RAND_bytes",
                             "OPENSSL_init_crypto", "X509_verify_cert", "BIO_new"}) {
    EXPECT_NE(LibraryOf(symbol).find("libcrypto.so"), std::string::npos)
        << symbol << " comes from " << LibraryOf(symbol);
  }
  EXPECT_NE(LibraryOf("SSL_CTX_new").find("libssl.so"), std::string::npos);
}

TEST(Link, GoogleApiFilesAreRegisteredOnce) {
  google::rpc::ErrorInfo info;
  info.set_reason("x");
  EXPECT_EQ(google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
                "google/rpc/error_details.proto"),
            info.GetDescriptor()->file());
}

TEST(Link, EveryLibraryLoadsBesideTheOthers) {
  EXPECT_EQ(arrow::GetBuildInfo().version_major, 26);
  EXPECT_NE(PQlibVersion(), 0);
  EXPECT_NE(sqlite3_libversion_number(), 0);
  EXPECT_NE(EVP_sha256(), nullptr);
  EXPECT_NE(reinterpret_cast<void*>(&duckdb_adbc_init), nullptr);
  EXPECT_NE(parquet::default_writer_properties(), nullptr);
  EXPECT_FALSE(grpc::Version().empty());
}

}  // namespace
