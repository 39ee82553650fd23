#pragma once
#include <string>
#include <vector>

#include "engine/plan/documents.h"

namespace dxt {

class AlertSender;
struct AlertMessage;

/// Who is told, and of which of the things that happened.
struct Receiver {
  const AlertRule* rule = nullptr;
  AlertEvent event = AlertEvent::kFailed;
};

/// The rules that want one of `events` (most telling first), each webhook once: its first
/// rule counts. They point into `rules`.
std::vector<Receiver> ReceiversOf(const std::vector<AlertRule>& rules,
                                  const std::vector<AlertEvent>& events);

/// False when the sender refused it.
bool SendTo(const AlertRule& rule, const AlertMessage& message, AlertSender& sender);

}  // namespace dxt
