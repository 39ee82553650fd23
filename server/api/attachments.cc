#include "server/api/attachments.h"

namespace dxt {

std::optional<std::string> Attachments::Add() {
  std::lock_guard lock(mutex_);
  if (closed_) return std::nullopt;
  const std::string id = "client-" + std::to_string(++made_);
  clients_.insert(id);
  return id;
}

void Attachments::Remove(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    if (clients_.erase(id) == 0 || !clients_.empty() || closed_ || !on_last_) return;
    closed_ = true;
  }
  on_last_();
}

bool Attachments::Close(bool force) {
  std::lock_guard lock(mutex_);
  if (!clients_.empty() && !force) return false;
  closed_ = true;
  return true;
}

}  // namespace dxt
