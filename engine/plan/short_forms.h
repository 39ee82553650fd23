#pragma once
// Documents may say in fewer words what the canonical keys say: `incremental:`,
// `write_mode:`, `merge_keys:`, one table in place of `streams`.
#include <optional>

#include "engine/plan/compile.h"

namespace dxt {

/// Rewrites the short forms of a stream into its extract and load; both written is a
/// problem.
void HoistShortForms(ConfigValue& stream, const std::string& path,
                     CompileContext& context);

/// `source: {…, table}` and `target: {…, table}` as one stream; nullopt without a table.
std::optional<ConfigValue> SingleStream(ConfigValue& root, CompileContext& context);

/// Reports single-table keys in a document that has `streams`.
void RefuseTableKeys(const ConfigValue& root, CompileContext& context);

}  // namespace dxt
