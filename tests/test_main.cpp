// The main() of every test: starts MPI if the program was started by mpirun, so that one framework
// serves unit and multi-rank tests; only rank 0 prints passes, any rank's failure fails the run.
// testing::TempDir() is a fresh directory that all ranks of the run share, removed at its end, so
// that concurrent runs, or runs of other users, do not share it.
#define OMPI_SKIP_MPICXX 1  // the C++ bindings need a library of their own
#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/accelerator.h"

namespace {

constexpr int kSkipped = 77;

/// Whether this is a device test on a machine without a device.
bool lacks_device() {
  const char* device = std::getenv("LYNCEUS_TEST_DEVICE");
  return device != nullptr && std::string(device) == "cuda" &&
         lynceus::accelerator::device_count() == 0;
}

/// Fails on all ranks if it failed on one, so that ranks stay together from test to test.
class RankZeroPrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", rank,
                 result.file_name() == nullptr ? "?" : result.file_name(), result.line_number(),
                 result.message());
  }
};

/// Creates the directory on rank 0 and returns its path on all ranks.
std::string make_shared_directory(int rank) {
  char path[1024] = {};
  if (rank == 0) {
    const auto pattern = (std::filesystem::temp_directory_path() / "lynceus-test-XXXXXX").string();
    pattern.copy(path, sizeof(path) - 1);
    if (mkdtemp(path) == nullptr) {
      std::perror(path);
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
  }
  MPI_Bcast(path, sizeof(path), MPI_CHAR, 0, MPI_COMM_WORLD);
  setenv("TEST_TMPDIR", path, /*overwrite=*/1);  // read by testing::TempDir()
  return path;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (lacks_device()) {
    std::printf("no CUDA device: %s\n", lynceus::accelerator::why_no_device().c_str());
    return kSkipped;
  }
  // Started without mpirun, Open MPI would start a daemon for each test.
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr)
    setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new RankZeroPrinter);
  }
  const std::string directory = make_shared_directory(rank);
  const int failed = RUN_ALL_TESTS();
  int any_failed = 0;
  MPI_Allreduce(&failed, &any_failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  std::error_code ignored;
  if (rank == 0) std::filesystem::remove_all(directory, ignored);
  MPI_Finalize();
  return any_failed;
}
