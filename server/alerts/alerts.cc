#include "server/alerts/alerts.h"

#include "server/alerts/run_alerts.h"
#include "server/alerts/stale_watch.h"
#include "server/alerts/tick_alerts.h"
#include "server/alerts/told_alerts.h"

namespace dxt {
namespace {

class AlertsOfDaemon final : public Alerts {
 public:
  AlertsOfDaemon(const AlertParts& parts, std::unique_ptr<AlertSender> sender)
      : sender_(std::move(sender)),
        told_(parts.state_dir / "told_alerts.json"),
        runs_(*sender_),
        ticks_(
            {sender_.get(), parts.catalog, parts.store, &told_, parts.log, parts.server}),
        stale_({sender_.get(), parts.catalog, parts.store, &told_, parts.clock, parts.log,
                parts.server}) {}

  std::vector<RunListener*> listeners() override { return {&runs_, &ticks_}; }
  void Start() override { stale_.Start(); }
  void Changed() override { stale_.Changed(); }
  void Stop(std::chrono::milliseconds grace) override {
    stale_.Stop();
    sender_->Stop(grace);
  }
  AlertSender::Counts counts() const override { return sender_->counts(); }

 private:
  const std::unique_ptr<AlertSender> sender_;
  ToldAlerts told_;
  RunAlerts runs_;
  TickAlerts ticks_;
  StaleWatch stale_;
};

}  // namespace

arrow::Result<std::unique_ptr<Alerts>> Alerts::Make(const AlertParts& parts) {
  ARROW_ASSIGN_OR_RAISE(auto sender, AlertSender::Make({}, *parts.clock, parts.log));
  return std::make_unique<AlertsOfDaemon>(parts, std::move(sender));
}

}  // namespace dxt
