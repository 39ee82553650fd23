#pragma once
#include <string>

namespace dxt::sqlite {

/// Removes a file that this process made if it holds nothing but empty bookkeeping and
/// nobody has it open; a journal left by a full disk is rolled back first. Without
/// certainty the file stays. Call when this process has no connection to it.
void RemoveUnused(const std::string& path);

}  // namespace dxt::sqlite
