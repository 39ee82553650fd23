#include "server/scheduler/run_queue.h"

namespace dxt {

std::string RunQueue::KeyOf(const QueuedRun& run) {
  return run.writes ? run.pipeline : run.pipeline + "\n";
}

void RunQueue::Leave(Group& group) {
  if (group.line == nullptr) return;
  group.line->erase({group.placed, &group});
  group.line = nullptr;
}

void RunQueue::Place(Group& group) {
  Leave(group);
  if (group.waiting.empty() || !group.running.empty()) return;
  group.placed = *group.waiting.begin();
  group.line = &ready_;
  ready_.emplace(group.placed, &group);
}

void RunQueue::Add(QueuedRun run) {
  const std::string key = KeyOf(run);
  Group& group = groups_[key];
  group.pipeline = run.pipeline;
  ++group.runs;
  const Rank rank = RankOf(run);
  if (!run.schedule.empty()) ++instances_[run.schedule];
  const std::string id = run.id;
  runs_[id] = Entry{std::move(run), &group};
  ++waiting_;
  group.waiting.insert(rank);
  if (*group.waiting.begin() != rank) return;
  const bool had_head = group.waiting.size() > 1;
  Place(group);
  // The head that steps back may have been woken for a slot that it does not take now.
  if (had_head) Wake(runs_.at(std::next(group.waiting.begin())->second).run.connections);
}

const ConnectionUse* RunQueue::FullConnection(const QueuedRun& run) const {
  for (const auto& use : run.connections) {
    if (use.most <= 0) continue;
    const auto slots = slots_.find(use.connection);
    if (slots != slots_.end() && slots->second.used >= use.most) return &use;
  }
  return nullptr;
}

void RunQueue::Wake(const std::vector<ConnectionUse>& connections) {
  for (const auto& use : connections) {
    const auto slots = slots_.find(use.connection);
    if (slots == slots_.end()) continue;
    Line& parked = slots->second.parked;
    if (!parked.empty()) {
      Group& best = *parked.begin()->second;
      const QueuedRun& head = runs_.at(best.placed.second).run;
      for (const auto& wanted : head.connections) {
        if (wanted.connection == use.connection && slots->second.used < wanted.most) {
          Place(best);
          break;
        }
      }
    }
    if (slots->second.used == 0 && slots->second.parked.empty()) slots_.erase(slots);
  }
}

void RunQueue::Start(Entry& entry) {
  Group& group = *entry.group;
  entry.running = true;
  --waiting_;
  group.waiting.erase(RankOf(entry.run));
  if (entry.run.writes) group.running = entry.run.id;
  memory_free_ -= entry.run.memory;
  for (const auto& use : entry.run.connections) {
    if (use.most > 0) ++slots_[use.connection].used;
  }
  Place(group);
}

std::optional<std::string> RunQueue::Take() {
  while (!ready_.empty()) {
    Group& group = *ready_.begin()->second;
    Entry& entry = runs_.at(group.placed.second);
    if (const auto* full = FullConnection(entry.run)) {
      // It stands aside until that connection has room; whoever waited behind it for
      // another of its connections goes ahead.
      Leave(group);
      group.line = &slots_.at(full->connection).parked;
      group.line->emplace(group.placed, &group);
      std::vector<ConnectionUse> others;
      for (const auto& use : entry.run.connections) {
        if (use.connection != full->connection) others.push_back(use);
      }
      Wake(others);
      continue;
    }
    if (entry.run.memory > memory_free_) return std::nullopt;
    Start(entry);
    // A slot may have room for more than one, and only one was woken for it.
    Wake(entry.run.connections);
    return entry.run.id;
  }
  return std::nullopt;
}

void RunQueue::Forget(std::unordered_map<std::string, Entry>::iterator entry) {
  const QueuedRun run = std::move(entry->second.run);
  Group* group = entry->second.group;
  runs_.erase(entry);
  if (!run.schedule.empty()) {
    const auto count = instances_.find(run.schedule);
    if (--count->second == 0) instances_.erase(count);
  }
  Place(*group);
  if (--group->runs == 0) groups_.erase(KeyOf(run));
  Wake(run.connections);
}

bool RunQueue::Remove(std::string_view id) {
  const auto entry = runs_.find(std::string(id));
  if (entry == runs_.end() || entry->second.running) return false;
  --waiting_;
  entry->second.group->waiting.erase(RankOf(entry->second.run));
  Forget(entry);
  return true;
}

void RunQueue::Done(std::string_view id) {
  const auto entry = runs_.find(std::string(id));
  if (entry == runs_.end() || !entry->second.running) return;
  const QueuedRun& run = entry->second.run;
  memory_free_ += run.memory;
  if (run.writes) entry->second.group->running.clear();
  for (const auto& use : run.connections) {
    if (use.most > 0) --slots_.at(use.connection).used;
  }
  Forget(entry);
}

std::string RunQueue::WaitingFor(std::string_view id) const {
  const auto found = runs_.find(std::string(id));
  if (found == runs_.end() || found->second.running) return {};
  const QueuedRun& run = found->second.run;
  const Group& group = *found->second.group;
  if (!group.running.empty()) {
    return "pipeline " + run.pipeline + " is running (run " + group.running + ")";
  }
  if (*group.waiting.begin() != RankOf(run)) {
    return "run " + group.waiting.begin()->second + " of pipeline " + run.pipeline +
           " is first";
  }
  if (const auto* full = FullConnection(run)) {
    return "connection " + full->connection + " serves " + std::to_string(full->most) +
           (full->most == 1 ? " run" : " runs") + ", as many as it may";
  }
  if (run.memory > memory_free_) {
    return "the runs that execute leave " + std::to_string(memory_free_ >> 20) +
           " MiB, and it needs " + std::to_string(run.memory >> 20) + " MiB";
  }
  return "a free worker";
}

std::string RunQueue::Running(std::string_view pipeline) const {
  const auto group = groups_.find(std::string(pipeline));
  return group == groups_.end() ? std::string() : group->second.running;
}

std::vector<std::string> RunQueue::Waiting(std::string_view pipeline) const {
  std::vector<std::string> ids;
  const auto group = groups_.find(std::string(pipeline));
  if (group == groups_.end()) return ids;
  for (const auto& [priority, id] : group->second.waiting) ids.push_back(id);
  return ids;
}

int RunQueue::Instances(std::string_view schedule) const {
  const auto count = instances_.find(std::string(schedule));
  return count == instances_.end() ? 0 : count->second;
}

}  // namespace dxt
