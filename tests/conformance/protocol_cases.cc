// When it arrives: the write protocol of contracts §3.
#include <algorithm>

#include <arrow/api.h>

#include "base/error.h"
#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

constexpr auto kAtomic = kAppend | static_cast<uint32_t>(Capability::kAtomicCommit);
constexpr auto kLedger = kAppend | static_cast<uint32_t>(Capability::kLedger);

const Rows kOld = {{"1", "old"}};
const Rows kNew = {{"2", "new"}};

void InvisibleBeforeCommit(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kAppend);
  for (const bool first : {true, false}) {
    ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
    ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
    ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kOld));
    ExpectRows(harness, "people", first ? std::optional<Rows>() : kOld);
    LoadRecord record = RecordOf(spec, owned.last);
    record.rows = receipt.rows;
    ASSERT_OK(target->Commit(spec, record, {&receipt, 1}, {}, {}).status());
  }
  ExpectRows(harness, "people", Rows{kOld[0], kOld[0]});
}

void ReplaceIsInvisibleBeforeCommit(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kReplace);
  ASSERT_OK(Load(harness, *target, wanted, kOld).status());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kNew));
  ExpectRows(harness, "people", kOld);
  ASSERT_OK(
      target->Commit(spec, RecordOf(spec, owned.last), {&receipt, 1}, {}, {}).status());
  ExpectRows(harness, "people", kNew);
}

/// Several writers of one window: invisible until one commit shows the rows of all.
void SeveralWritersAreOneCommit(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kReplace)));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_GE(target->MostWriters(spec), 2);
  spec.writers = 2;
  std::vector<WriteReceipt> receipts;
  std::vector<std::unique_ptr<Writer>> writers(2);
  for (auto& writer : writers) {
    ASSERT_OK_AND_ASSIGN(writer, target->OpenWriter(spec, {}));
  }
  for (size_t i = 0; i < writers.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const auto batch, DeliveredBatch(spec, i == 0 ? kOld : kNew));
    writers[i]->Place(static_cast<int64_t>(i));
    ASSERT_OK(writers[i]->Append(*batch, {}));
  }
  for (auto& writer : writers) {
    ASSERT_OK_AND_ASSIGN(receipts.emplace_back(), writer->Finish({}));
  }
  ExpectRows(harness, "people", std::nullopt);
  ASSERT_OK_AND_ASSIGN(
      const auto committed,
      target->Commit(spec, RecordOf(spec, owned.last), receipts, {}, {}));
  EXPECT_EQ(committed.rows_written, 2);
  ExpectRows(harness, "people", Rows{kOld[0], kNew[0]});
}

void CommitTwiceIsOnce(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kOld));
  const LoadRecord record = RecordOf(spec, owned.last);
  ASSERT_OK_AND_ASSIGN(const auto first,
                       target->Commit(spec, record, {&receipt, 1}, {}, {}));
  EXPECT_FALSE(first.already);
  ASSERT_OK_AND_ASSIGN(const auto second,
                       target->Commit(spec, record, {&receipt, 1}, {}, {}));
  EXPECT_TRUE(second.already);
  // A process that wrote the same window again under the same load_id finds it done, too.
  ASSERT_OK_AND_ASSIGN(auto other, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto again, SpecOf(harness, *other, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK(AcquireFor(*other, &again).status());
  again.load_id = spec.load_id;
  again.window_seq = spec.window_seq;
  ASSERT_OK_AND_ASSIGN(const auto rewritten, WriteRows(*other, again, kOld));
  ASSERT_OK_AND_ASSIGN(const auto third,
                       other->Commit(again, record, {&rewritten, 1}, {}, {}));
  EXPECT_TRUE(third.already);
  ExpectRows(harness, "people", kOld);
}

void ResolveTellsWhatWasCommitted(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_OK_AND_ASSIGN(const bool before,
                       target->Resolve(spec.identity, spec.load_id, {}));
  EXPECT_FALSE(before);
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kOld));
  ASSERT_OK(
      target->Commit(spec, RecordOf(spec, owned.last), {&receipt, 1}, {}, {}).status());
  ASSERT_OK_AND_ASSIGN(const bool after,
                       target->Resolve(spec.identity, spec.load_id, {}));
  EXPECT_TRUE(after);
}

void AbortAndDiscardLeaveNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kOld).status());
  ASSERT_OK_AND_ASSIGN(const auto before, harness.Objects());
  for (const bool finish : {false, true}) {
    for (const std::string table : {"people", "fresh"}) {
      Wanted wanted = PeopleBy(LoadMode::kAppend);
      wanted.table = table;
      ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
      ASSERT_OK(AcquireFor(*target, &spec).status());
      ASSERT_OK_AND_ASSIGN(auto writer, target->OpenWriter(spec, {}));
      ASSERT_OK_AND_ASSIGN(const auto batch, DeliveredBatch(spec, kNew));
      ASSERT_OK(writer->Append(*batch, {}));
      if (finish) {
        ASSERT_OK_AND_ASSIGN(const auto receipt, writer->Finish({}));
        target->Discard({&receipt, 1});
      } else {
        writer->Abort();
        writer->Abort();
      }
    }
  }
  ASSERT_OK_AND_ASSIGN(const auto after, harness.Objects());
  EXPECT_EQ(after, before);
  ExpectRows(harness, "people", kOld);
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kNew).status());
  ExpectRows(harness, "people", Rows{kOld[0], kNew[0]});
}

void ADestroyedDestinationLeavesNothing(Harness& harness) {
  {
    ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
    ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kOld).status());
  }
  ASSERT_OK_AND_ASSIGN(const auto before, harness.Objects());
  {
    ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
    ASSERT_OK_AND_ASSIGN(auto spec,
                         SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
    ASSERT_OK(AcquireFor(*target, &spec).status());
    ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kNew));
    if (receipt.kind == WriteReceipt::Kind::kStaged) target->Discard({&receipt, 1});
  }
  ExpectRows(harness, "people", kOld);
  ASSERT_OK_AND_ASSIGN(const auto after, harness.Objects());
  EXPECT_EQ(after, before);
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kNew).status());
  ExpectRows(harness, "people", Rows{kOld[0], kNew[0]});
}

void ANewOwnerFencesTheOld(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto old_owner, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto new_owner, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kAppend);
  ASSERT_OK_AND_ASSIGN(auto old_spec, SpecOf(harness, *old_owner, wanted));
  ASSERT_OK_AND_ASSIGN(const auto old_owned, AcquireFor(*old_owner, &old_spec));
  ASSERT_OK_AND_ASSIGN(auto new_spec, SpecOf(harness, *new_owner, wanted));
  ASSERT_OK_AND_ASSIGN(const auto new_owned, AcquireFor(*new_owner, &new_spec));
  EXPECT_GT(new_spec.epoch, old_spec.epoch);
  ASSERT_OK_AND_ASSIGN(const auto old_receipt, WriteRows(*old_owner, old_spec, kOld));
  const auto fenced = old_owner->Commit(old_spec, RecordOf(old_spec, old_owned.last),
                                        {&old_receipt, 1}, {}, {});
  ASSERT_FALSE(fenced.ok());
  EXPECT_EQ(ClassOf(fenced.status()), ErrorClass::kFenced) << fenced.status();
  old_owner->Discard({&old_receipt, 1});
  old_owner.reset();
  ExpectRows(harness, "people", std::nullopt);
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*new_owner, new_spec, kNew));
  ASSERT_OK(
      new_owner
          ->Commit(new_spec, RecordOf(new_spec, new_owned.last), {&receipt, 1}, {}, {})
          .status());
  ExpectRows(harness, "people", kNew);
}

void AStaleChainIsRefused(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kAppend);
  ASSERT_OK(Load(harness, *target, wanted, kOld).status());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, kNew));
  LoadRecord record = RecordOf(spec, owned.last);
  record.cursor_before = "another cursor";
  const auto stale = target->Commit(spec, record, {&receipt, 1}, {}, {});
  ASSERT_FALSE(stale.ok());
  EXPECT_EQ(ClassOf(stale.status()), ErrorClass::kData) << stale.status();
  EXPECT_EQ(GetErrorInfo(stale.status()).code, "load.stale");
  target->Discard({&receipt, 1});
  ExpectRows(harness, "people", kOld);
}

void PeekWritesNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto identity = IdentityOf(harness, PeopleBy(LoadMode::kAppend));
  ASSERT_OK_AND_ASSIGN(const auto before, harness.Objects());
  ASSERT_OK_AND_ASSIGN(const auto none, target->Peek(identity, {}));
  EXPECT_FALSE(none.has_value());
  ASSERT_OK_AND_ASSIGN(const bool shared, target->SharedTarget(identity, {}));
  EXPECT_FALSE(shared);
  ASSERT_OK_AND_ASSIGN(const auto after, harness.Objects());
  EXPECT_EQ(after, before);
  // The first epoch is 1 only if nothing touched the fence before.
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK(AcquireFor(*target, &spec).status());
  EXPECT_EQ(spec.epoch, 1);
}

void LedgerKeepsTheRecord(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  EXPECT_FALSE(owned.last.has_value());
  ASSERT_OK_AND_ASSIGN(const auto receipt,
                       WriteRows(*target, spec, {{"1", "a"}, {"2", "b"}}));
  LoadRecord record = RecordOf(spec, owned.last);
  record.rows = receipt.rows;
  record.cursor_after = "2024-01-01 'quoted' \"x\" ✓";
  record.read_from = "2023-12-31";
  record.package_hash = "beef";
  ASSERT_OK(target->Commit(spec, record, {&receipt, 1}, {}, {}).status());
  ASSERT_OK_AND_ASSIGN(auto other, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(const auto found, other->Peek(spec.identity, {}));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->window_seq, 1);
  EXPECT_EQ(found->load_id, record.load_id);
  EXPECT_EQ(found->run, record.run);
  EXPECT_EQ(found->cursor_before, "");
  EXPECT_EQ(found->cursor_after, record.cursor_after);
  EXPECT_EQ(found->read_from, record.read_from);
  EXPECT_EQ(found->rows, 2);
  EXPECT_EQ(found->rows_deleted, 0);
  EXPECT_EQ(found->mode, "append");
  EXPECT_EQ(found->schema_hash, record.schema_hash);
  EXPECT_EQ(found->package_hash, record.package_hash);
  EXPECT_EQ(found->fingerprint, spec.identity.fingerprint);
  EXPECT_FALSE(found->target.empty());
  EXPECT_FALSE(found->committed_at.empty());
  ASSERT_OK_AND_ASSIGN(auto next, SpecOf(harness, *other, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK_AND_ASSIGN(const auto then, AcquireFor(*other, &next));
  ASSERT_TRUE(then.last.has_value());
  EXPECT_EQ(then.last->load_id, record.load_id);
  EXPECT_EQ(next.window_seq, 2);
  StreamIdentity backfill = spec.identity;
  backfill.lane = "backfill/a..b";
  ASSERT_OK_AND_ASSIGN(const auto lane, other->Peek(backfill, {}));
  EXPECT_FALSE(lane.has_value()) << "lanes have chains of their own";
}

void AWindowWithoutRowsMovesTheCursor(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kOld).status());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), {}).status());
  ASSERT_OK_AND_ASSIGN(
      const auto newest,
      target->Peek(IdentityOf(harness, PeopleBy(LoadMode::kAppend)), {}));
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->window_seq, 2);
  EXPECT_EQ(newest->rows, 0);
  ExpectRows(harness, "people", kOld);
}

void SharedTargetsAreSeen(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted mine = PeopleBy(LoadMode::kAppend);
  ASSERT_OK(Load(harness, *target, mine, kOld).status());
  ASSERT_OK_AND_ASSIGN(const bool alone,
                       target->SharedTarget(IdentityOf(harness, mine), {}));
  EXPECT_FALSE(alone);
  Wanted other = mine;
  other.pipeline = "suite/other";
  ASSERT_OK(Load(harness, *target, other, kNew).status());
  ASSERT_OK_AND_ASSIGN(const bool shared,
                       target->SharedTarget(IdentityOf(harness, mine), {}));
  EXPECT_TRUE(shared);
}

/// Who adds a lane is asked with those that are there, and leaves none when refused.
void AnOwnerIsAdmittedBesideTheOtherLanes(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  std::vector<std::string> seen;
  bool admits = true;
  Owner owner;
  owner.text = "a";
  owner.admits = [&](const std::vector<std::string>& lanes) {
    seen = lanes;
    return admits ? arrow::Status::OK()
                  : MakeError(ErrorClass::kConfig, "backfill.overlap", "No");
  };
  const auto acquire = [&](const std::string& lane) {
    spec.identity.lane = lane;
    return target->Acquire({&spec.identity, 1}, owner, {}).status();
  };
  ASSERT_OK(acquire("backfill/1..2"));
  EXPECT_EQ(seen, std::vector<std::string>());
  admits = false;
  const auto refused = acquire("backfill/2..3");
  EXPECT_EQ(GetErrorInfo(refused).code, "backfill.overlap") << refused;
  EXPECT_EQ(seen, std::vector<std::string>{"backfill/1..2"});
  admits = true;
  ASSERT_OK(acquire("backfill/3..4"));
  EXPECT_EQ(seen, std::vector<std::string>{"backfill/1..2"});
  ASSERT_OK_AND_ASSIGN(auto lanes, target->Lanes(spec.identity, {}));
  std::sort(lanes.begin(), lanes.end());
  EXPECT_EQ(lanes, (std::vector<std::string>{"backfill/1..2", "backfill/3..4"}));
}

void AcquireTakesSeveralStreams(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted one = PeopleBy(LoadMode::kAppend), two = one;
  two.table = "others";
  const std::vector<StreamIdentity> identities = {IdentityOf(harness, one),
                                                  IdentityOf(harness, two)};
  ASSERT_OK_AND_ASSIGN(const auto owned,
                       target->Acquire(identities, {"run", "owner"}, {}));
  ASSERT_EQ(owned.size(), 2u);
  EXPECT_EQ(owned[0].epoch, 1);
  EXPECT_EQ(owned[1].epoch, 1);
}

void AStopEndsAWrite(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), kOld).status());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK(AcquireFor(*target, &spec).status());
  ASSERT_OK_AND_ASSIGN(auto writer, target->OpenWriter(spec, {}));
  ASSERT_OK_AND_ASSIGN(const auto batch, DeliveredBatch(spec, kNew));
  std::stop_source stop;
  stop.request_stop();
  auto stopped = writer->Append(*batch, stop.get_token());
  if (stopped.ok()) stopped = writer->Finish(stop.get_token()).status();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(ClassOf(stopped), ErrorClass::kCancelled) << stopped;
  writer->Abort();
  writer.reset();
  target.reset();
  if (harness.Can(Capability::kRead)) ExpectRows(harness, "people", kOld);
}

}  // namespace

std::vector<Case> ProtocolCases() {
  return {
      {"InvisibleBeforeCommit", kAtomic, InvisibleBeforeCommit},
      {"ReplaceIsInvisibleBeforeCommit",
       kAtomic | static_cast<uint32_t>(Capability::kReplace),
       ReplaceIsInvisibleBeforeCommit},
      {"SeveralWritersAreOneCommit",
       kLedger | static_cast<uint32_t>(Capability::kManyWriters),
       SeveralWritersAreOneCommit},
      {"CommitTwiceIsOnce", kLedger, CommitTwiceIsOnce},
      {"ResolveTellsWhatWasCommitted", kLedger, ResolveTellsWhatWasCommitted},
      {"AbortAndDiscardLeaveNothing", kAppend, AbortAndDiscardLeaveNothing},
      {"ADestroyedDestinationLeavesNothing", kAppend, ADestroyedDestinationLeavesNothing},
      {"ANewOwnerFencesTheOld", kLedger, ANewOwnerFencesTheOld},
      {"AStaleChainIsRefused", kLedger, AStaleChainIsRefused},
      {"PeekWritesNothing", kLedger, PeekWritesNothing},
      {"LedgerKeepsTheRecord", kLedger, LedgerKeepsTheRecord},
      {"AWindowWithoutRowsMovesTheCursor", kLedger, AWindowWithoutRowsMovesTheCursor},
      {"SharedTargetsAreSeen", kLedger, SharedTargetsAreSeen},
      {"AnOwnerIsAdmittedBesideTheOtherLanes", kLedger,
       AnOwnerIsAdmittedBesideTheOtherLanes},
      {"AcquireTakesSeveralStreams", kLedger, AcquireTakesSeveralStreams},
      {"AStopEndsAWrite",
       static_cast<uint32_t>(Capability::kWrite) |
           static_cast<uint32_t>(Capability::kAppend),
       AStopEndsAWrite},
  };
}

}  // namespace dxt::conformance
