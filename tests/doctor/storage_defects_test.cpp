// Defects of file systems: each is found by one check, with its remedy.
#include <algorithm>

#include "doctor_run.h"

namespace lynceus::doctor_test {
namespace {

Outcome on_folder(const fs::path& folder, const Arguments& variables = {},
                  const std::string& shell = "", const Arguments& options = {}) {
  return examine(Arguments{"--run", folder.string()} + options,
                 {.ranks = 2, .environment = variables, .shell = shell});
}
/// On a tmpfs with these options.
Outcome on_tmpfs(const fs::path& folder, const std::string& options, const Arguments& more = {}) {
  return on_folder(folder, {},
                   with_mounts("mount -t tmpfs -o " + options + " none " + folder.string()), more);
}

TEST(StorageDefects, AGoodFolderIsOkAndStaysAsItWas) {
  const Folder folder("good");
  const Outcome outcome = on_folder(folder / "runs/new");
  EXPECT_TRUE(outcome.faults().empty()) << outcome.output.all();
  EXPECT_THAT(outcome.find("storage.write-rate").measured, HasSubstr("MiB/s"));
  EXPECT_THAT(outcome.find("storage.folder").measured, folder.path().string());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

/// A call that does something else than it says, on one rank.
struct BrokenCall {
  const char* defect;
  int rank;
  const char* check;
  Verdict verdict;
  const char* measured;
  const char* remedy;
};

void PrintTo(const BrokenCall& call, std::ostream* out) { *out << call.defect; }

class BrokenCalls : public testing::TestWithParam<BrokenCall> {};

TEST_P(BrokenCalls, AreFound) {
  const BrokenCall& call = GetParam();
  const Folder folder("broken");
  expect_only(on_folder(folder.path(), defect(call.defect, call.rank)), call.check, call.verdict,
              call.measured, call.remedy);
}

INSTANTIATE_TEST_SUITE_P(
    StorageDefects, BrokenCalls,
    testing::Values(BrokenCall{"rename", 0, "storage.rename", Verdict::kCritical,
                               "keeps its old name", "choose another folder (--run)"},
                    BrokenCall{"unlink", 0, "storage.remove", Verdict::kCritical, "still there",
                               "choose another folder (--run)"},
                    BrokenCall{"no-locks", 0, "storage.locks", Verdict::kWarning,
                               "flock: ", "HDF5_USE_FILE_LOCKING=FALSE"},
                    BrokenCall{"write", 1, "storage.read-back", Verdict::kCritical,
                               "doctor/1/value", "do not keep checkpoints there"},
                    BrokenCall{"fsync", 0, "storage.write", Verdict::kCritical, "fsync",
                               "make the folder writable"}),
    [](const auto& instance) {
      std::string name = instance.param.defect;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(StorageDefects, ASmallFileSystem) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("small");
  const Outcome outcome = on_tmpfs(folder.path(), "size=1M");
  EXPECT_EQ(outcome.find("storage.space").verdict, Verdict::kWarning) << outcome.output.all();
  EXPECT_THAT(outcome.find("storage.space").remedy, HasSubstr("free some space"));
  const CheckResult trial = outcome.find("storage.checkpoint");
  EXPECT_EQ(trial.verdict, Verdict::kCritical);
  EXPECT_THAT(trial.measured, HasSubstr("no space left"));
}

TEST(StorageDefects, NoRoomForTheModelsCheckpoints) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("model");
  const Outcome outcome = on_tmpfs(folder.path(), "size=4M", {"--config", "tiny"});
  EXPECT_EQ(outcome.faults(), std::set<std::string>{"storage.space"}) << outcome.output.all();
  EXPECT_EQ(outcome.find("storage.space").verdict, Verdict::kCritical);
  EXPECT_THAT(outcome.find("storage.space").remedy, HasSubstr("--checkpoint.keep_last"));
}

TEST(StorageDefects, NoInodes) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("inodes");
  expect_only(on_tmpfs(folder.path(), "size=400M,nr_inodes=8"), "storage.inodes",
              Verdict::kCritical, "free", "quota of files");
}

TEST(StorageDefects, AReadOnlyFolder) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("read_only");
  expect_only(on_tmpfs(folder.path(), "ro,size=400M"), "storage.write", Verdict::kCritical,
              folder.path().string(), "make the folder writable");
}

TEST(StorageDefects, AFolderThatOneRankDoesNotShare) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("shared");
  const std::string own_folder = fmt::format(
      "[ $OMPI_COMM_WORLD_RANK -eq 1 ] && exec unshare -m sh -c \"mount -t tmpfs none {} && exec "
      "\\\"\\$0\\\" \\\"\\$@\\\"\" \"$0\" \"$@\";",
      folder.path().string());
  const Outcome outcome =
      examine({"--run", folder.path().string()}, {.shell = on_ranks(2, own_folder)});
  expect_only(outcome, "storage.shared", Verdict::kCritical, "rank 1", "all nodes share");
}

TEST(StorageDefects, SmallFilesOnly) {
  const Folder folder("fsize");
  // One rank: MPI's shared memory is larger.
  expect_only(examine({"--run", folder.path().string()}, {.shell = "ulimit -f 512; exec \"$@\""}),
              "storage.space", Verdict::kCritical, "files of at most", "ulimit -f unlimited");
}

}  // namespace
}  // namespace lynceus::doctor_test
