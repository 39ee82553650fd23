#pragma once
#include <span>

namespace dxt {

/// The SQL of schema/sqlite, in order: the n-th one leads to `user_version` n + 1.
std::span<const char* const> StateMigrations();

}  // namespace dxt
