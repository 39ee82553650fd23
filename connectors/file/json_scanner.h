#pragma once
#include <cstddef>
#include <cstdint>

namespace dxt::file {

/// Steps over JSON (RFC 8259) and checks it on the way. After a failure either `error`
/// says what is wrong at `at`, or the text ended too early (`error` is null).
class JsonSkipper {
 public:
  JsonSkipper(const char* from, const char* to) : at(from), end(to) {}

  void Blank() {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  }
  /// From the opening quote to behind the closing one.
  bool String(bool* escaped);
  /// A number ends where the text does, so whether more digits follow is the caller's
  /// care.
  bool Number();
  bool Word(const char* word, size_t size);
  bool Value(int depth = 0);

  const char* at;
  const char* end;
  const char* error = nullptr;

 private:
  bool Fail(const char* what) {
    error = what;
    return false;
  }
  bool Object(int depth);
  bool Array(int depth);
};

}  // namespace dxt::file
