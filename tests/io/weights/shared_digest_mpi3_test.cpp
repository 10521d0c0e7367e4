// The digest of files does not depend on how many ranks share the work, and an error on one rank is
// an error on all.
#include "io/weights/shared_digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::io {
namespace {

TEST(SharedDigest, EqualsOneRanks) {
  const auto world = parallel::make_world();
  const std::string stem = testing::TempDir() + "/shared_digest_";
  const std::vector<std::filesystem::path> files = {stem + "a", stem + "b", stem + "empty"};
  if (world->rank() == 0) {
    std::vector<char> bytes(4 * kDigestBlockBytes + 77);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(mix64(i));
    File::create(files[0]).append(bytes.data(), bytes.size());
    File::create(files[1]).append(bytes.data(), 1000);
    File::create(files[2]);
  }
  world->barrier();
  EXPECT_EQ(digest_files(std::span(files).first(1), *world), digest_file(files[0]));
  const auto alone = parallel::make_self_communicator();
  const Digest128 all = digest_files(files, *alone);
  EXPECT_EQ(digest_files(files, *world), all);
  EXPECT_NE(digest_files(std::vector{files[1], files[0], files[2]}, *world), all);

  std::vector<std::filesystem::path> gone = {files[1]};
  if (world->rank() == 1) gone[0] = stem + "gone";
  EXPECT_THAT([&] { digest_files(gone, *world); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("gone")));
  gone[0] = world->rank() == 1 ? files[0] : files[1];
  EXPECT_THAT([&] { digest_files(gone, *world); },
              testing::ThrowsMessage<parallel::AgreedError>(testing::HasSubstr("same files")));
  world->barrier();
  if (world->rank() == 0)
    for (const auto& file : files) std::filesystem::remove(file);
}

}  // namespace
}  // namespace lynceus::io
