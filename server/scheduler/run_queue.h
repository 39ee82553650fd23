#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dxt {

/// One connection that a run uses, and how many runs may use it at a time.
struct ConnectionUse {
  std::string connection;  ///< "<project>/<connection>".
  int most = 0;            ///< 0 = any number.
};

/// A run that waits, with what it needs to execute.
struct QueuedRun {
  std::string id;        ///< ULID; of equal priority, the older is first.
  std::string pipeline;  ///< "<project>/<pipeline>".
  std::string schedule;  ///< "<project>/<schedule>" that made it, or "".
  int priority = 0;
  bool writes = true;  ///< Runs of one pipeline that write take turns.
  int64_t memory = 0;
  std::vector<ConnectionUse> connections;
};

/// Which run is next: order, priorities and limits, and nothing else. The state store is
/// the truth; this is its index, made anew at each start. Taking, adding and ending cost
/// O(log n) whatever waits. Not thread-safe; deterministic.
class RunQueue {
 public:
  explicit RunQueue(int64_t memory_budget)
      : memory_budget_(memory_budget), memory_free_(memory_budget) {}
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  /// The id must be new.
  void Add(QueuedRun run);
  /// The next run that may execute; it counts as running until Done. A run that waits for
  /// memory is not overtaken, or it would starve.
  std::optional<std::string> Take();
  /// A run that waits waits no longer; false when there is none of that id.
  bool Remove(std::string_view id);
  /// A run that was taken has ended.
  void Done(std::string_view id);

  /// Why a run waits, for people; "" when it does not wait.
  std::string WaitingFor(std::string_view id) const;
  /// Of the runs that write: the one that executes ("" = none), and those that wait, next
  /// first.
  std::string Running(std::string_view pipeline) const;
  std::vector<std::string> Waiting(std::string_view pipeline) const;
  /// Runs of one schedule that wait or execute.
  int Instances(std::string_view schedule) const;
  size_t waiting() const { return waiting_; }
  size_t running() const { return runs_.size() - waiting_; }
  int64_t memory_used() const { return memory_budget_ - memory_free_; }

 private:
  using Rank = std::pair<int, std::string>;  ///< Negated priority, id.
  struct Group;
  using Line = std::set<std::pair<Rank, Group*>>;

  /// Runs that take turns: those of a pipeline that write. The others of a pipeline form
  /// a group that is never busy.
  struct Group {
    std::string pipeline;
    std::set<Rank> waiting;
    int runs = 0;          ///< That wait or execute.
    std::string running;   ///< Of runs that take turns.
    Line* line = nullptr;  ///< Where it stands, under its head's rank.
    Rank placed;
  };
  struct Entry {
    QueuedRun run;
    Group* group = nullptr;
    bool running = false;
  };
  struct Slots {
    int used = 0;
    Line parked;
  };

  static std::string KeyOf(const QueuedRun& run);
  static Rank RankOf(const QueuedRun& run) { return {-run.priority, run.id}; }
  /// Puts a group where its head belongs: in the ready line unless it is busy or empty.
  void Place(Group& group);
  void Leave(Group& group);
  const ConnectionUse* FullConnection(const QueuedRun& run) const;
  /// Gives a free slot of a connection to the best of those that wait for it.
  void Wake(const std::vector<ConnectionUse>& connections);
  void Forget(std::unordered_map<std::string, Entry>::iterator entry);
  void Start(Entry& entry);

  const int64_t memory_budget_;
  int64_t memory_free_;
  size_t waiting_ = 0;
  std::unordered_map<std::string, Entry> runs_;
  std::unordered_map<std::string, Group> groups_;
  std::unordered_map<std::string, Slots> slots_;
  std::unordered_map<std::string, int> instances_;
  Line ready_;
};

}  // namespace dxt
