#include "server/alerts/told_alerts.h"

#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

namespace dxt {

ToldAlerts::ToldAlerts(std::filesystem::path file) : file_(std::move(file)) {
  std::ifstream stream(file_, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (value.is_string()) told_[key] = value.get<std::string>();
  }
}

std::string ToldAlerts::Of(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = told_.find(key);
  return found == told_.end() ? std::string() : found->second;
}

void ToldAlerts::Set(const std::string& key, const std::string& value) {
  std::lock_guard lock(mutex_);
  if (std::exchange(told_[key], value) != value) Write();
}

void ToldAlerts::KeepOnly(std::string_view prefix, const std::set<std::string>& kept) {
  std::lock_guard lock(mutex_);
  const size_t gone = std::erase_if(told_, [&](const auto& item) {
    return item.first.starts_with(prefix) && !kept.contains(item.first);
  });
  if (gone > 0) Write();
}

void ToldAlerts::Write() const {
  if (file_.empty()) return;
  const std::filesystem::path beside = file_.string() + ".tmp";
  std::ofstream stream(beside, std::ios::binary | std::ios::trunc);
  stream << nlohmann::json(told_).dump(-1, ' ', false,
                                       nlohmann::json::error_handler_t::replace);
  stream.close();
  std::error_code error;
  if (stream) {
    std::filesystem::rename(beside, file_, error);
  } else {
    std::filesystem::remove(beside, error);
  }
}

}  // namespace dxt
