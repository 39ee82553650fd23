#include "server/scheduler/test_daemon.h"

#include <future>

#include "base/time_text.h"
#include "connectors/sdk/connector.h"

namespace dxt {
namespace {

class EndWatcher : public FeedWatcher {
 public:
  explicit EndWatcher(std::shared_ptr<RunFeed> feed) : feed_(std::move(feed)) {}
  void OnMore() override {
    if (feed_->ended() && !told_.exchange(true)) ended_.set_value();
  }
  void Wait() { ended_.get_future().wait(); }

 private:
  std::shared_ptr<RunFeed> feed_;
  std::atomic<bool> told_{false};
  std::promise<void> ended_;
};

}  // namespace

std::chrono::system_clock::time_point ManualClock::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

std::chrono::steady_clock::time_point ManualClock::Tick() const {
  std::lock_guard lock(mutex_);
  return tick_;
}

bool ManualClock::WaitUntil(std::chrono::steady_clock::time_point, std::stop_token) {
  return true;
}

void ManualClock::Set(const std::string& time) {
  std::lock_guard lock(mutex_);
  now_ = *ParseUtcTime(time);
}

void ManualClock::Advance(std::chrono::milliseconds by) {
  std::lock_guard lock(mutex_);
  now_ += by;
  tick_ += by;
}

RunResult HeldEngine::Execute(const PipelineDocument& pipeline, const RunOptions& options,
                              const RunContext& context, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  ++running_;
  order_.push_back(pipeline.name);
  options_ = options;
  variables_ = pipeline.variables;
  changed_.notify_all();
  context.observer->OnEvent(Severity::kInfo, "orders", "said", "token hunter2");
  if (deaf_) {
    changed_.wait(lock, [this] { return released_; });
  } else {
    changed_.wait(lock, stop, [this] { return released_; });
  }
  --running_;
  changed_.notify_all();
  RunResult result;
  result.project = pipeline.project.name;
  result.pipeline = pipeline.name;
  result.dry_run = options.dry_run;
  result.state = stop.stop_requested() && !deaf_ ? RunState::kCancelled : state_;
  for (const auto& config : pipeline.streams) {
    StreamResult stream;
    stream.id = config.id;
    stream.state =
        config.id == failed_stream_ ? StreamState::kFailed : StreamState::kSucceeded;
    result.streams.push_back(stream);
  }
  if (result.state == RunState::kFailed) {
    result.error = MakeError(ErrorClass::kData, "test.failed", "it failed");
  }
  return result;
}

void HeldEngine::Release(RunState state) {
  std::lock_guard lock(mutex_);
  released_ = true;
  state_ = state;
  changed_.notify_all();
}

void HeldEngine::Hold() {
  std::lock_guard lock(mutex_);
  released_ = false;
}

void HeldEngine::BecomeDeaf() {
  std::lock_guard lock(mutex_);
  deaf_ = true;
}

void HeldEngine::AwaitRunning(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return running_ == count; });
}

void HeldEngine::AwaitBegun(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return static_cast<int>(order_.size()) >= count; });
}

std::vector<std::string> HeldEngine::order() {
  std::lock_guard lock(mutex_);
  return order_;
}

RunOptions HeldEngine::last_options() {
  std::lock_guard lock(mutex_);
  return options_;
}

std::map<std::string, std::string> HeldEngine::last_variables() {
  std::lock_guard lock(mutex_);
  return variables_;
}

void DaemonTest::SetUp() {
  std::string name =
      (std::filesystem::temp_directory_path() / "dxt-daemon-XXXXXX").string();
  folder_ = mkdtemp(name.data());
  ASSERT_TRUE(RegisterBuiltinConnectors(registry_).ok());
  ids_ = MakeIdSource(SystemClock());
  options_.resumes = true;
  options_.max_workers = 4;
  options_.memory_budget = int64_t{4} << 30;
  // Enough to see that nothing is stored in clear, and that it comes back.
  const auto mix = [](std::string_view run, std::string_view bytes) {
    std::string mixed(bytes);
    for (size_t i = 0; i < mixed.size(); ++i) mixed[i] ^= run[i % run.size()];
    return mixed;
  };
  options_.seal = options_.unseal = [mix](std::string_view run, std::string_view bytes) {
    return arrow::Result<std::string>(mix(run, bytes));
  };
  Start();
  const auto project = catalog_->ApplyProject("shop", {"", "name: shop\n"}, Origin::kApi,
                                              std::nullopt, false);
  ASSERT_TRUE(project.ok() && project->record) << project.status();
}

void DaemonTest::TearDown() {
  engine_->Release();
  Shut();
  std::filesystem::remove_all(folder_);
}

void DaemonTest::Start() {
  store_ = *SqliteStateStore::Make(folder_);
  catalog_ = std::make_unique<Catalog>(catalog_options_, registry_, *clock_, *store_);
  options_.state_dir = folder_;
  options_.source = catalog_.get();
  options_.execute = [engine = engine_](const auto&... arguments) {
    return engine->Execute(arguments...);
  };
  dispatcher_ =
      std::make_unique<Dispatcher>(options_, registry_, *clock_, *ids_, *store_, nullptr);
  ASSERT_TRUE(dispatcher_->Recover().ok());
}

void DaemonTest::Shut() {
  dispatcher_.reset();
  catalog_.reset();
  store_.reset();
}

void DaemonTest::Kill() {
  // Its workers are made to return, and the store forgets whatever they wrote then.
  std::filesystem::path before = folder_ / "before";
  ASSERT_TRUE(store_->BackUp(before.string()).ok());
  engine_->Release(RunState::kFailed);
  Shut();
  for (const char* name : {"state.db", "state.db-wal", "state.db-shm"}) {
    std::filesystem::remove(folder_ / name);
  }
  std::filesystem::rename(before, folder_ / "state.db");
  engine_ = std::make_shared<HeldEngine>();
}

void DaemonTest::StorePipeline(const std::string& name, const std::string& more) {
  const std::string text = "name: " + name +
                           "\nsource: 'memory:src'\ntarget: 'memory:dst'\n"
                           "streams:\n- {id: orders, source: orders, target: orders}\n"
                           "- {id: items, source: items, target: items}\n" +
                           more;
  const auto applied =
      catalog_->ApplyPipeline("shop", {"", text}, Origin::kApi, std::nullopt, false);
  ASSERT_TRUE(applied.ok()) << applied.status();
  ASSERT_TRUE(applied->record) << FormatProblem(applied->problems.front());
}

arrow::Result<RunRecord> DaemonTest::Run(const std::string& pipeline, int priority) {
  ARROW_ASSIGN_OR_RAISE(auto submission, catalog_->Prepare("shop", pipeline, {}, {}));
  submission.priority = priority;
  return dispatcher_->Submit(std::move(submission));
}

RunRecord DaemonTest::Ended(const std::string& id) {
  if (const auto feed = dispatcher_->Feed(id)) {
    auto watcher = std::make_shared<EndWatcher>(feed);
    feed->Watch(watcher);
    watcher->Wait();
  }
  return Get(id);
}

std::vector<RunRecord> DaemonTest::RunsOf(const std::string& pipeline) {
  RunQuery query;
  query.pipeline = pipeline;
  query.ascending = true;
  return *store_->runs().List(query);
}

}  // namespace dxt
