// Digests: published values, block order, sensitivity to every bit.
#include "io/files/digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace lynceus::io {
namespace {

TEST(Digest, KnownValues) {
  // xxHash's published values of the empty input, seed 0.
  EXPECT_EQ(digest128(nullptr, 0).hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest64(nullptr, 0), 0x2D06800538D394C2ull);
}

TEST(Digest, HexRoundTrip) {
  const Digest128 digest = digest128("lynx", 4);
  EXPECT_EQ(parse_digest128(digest.hex(), "here"), digest);
  EXPECT_EQ((Digest128{1, 2}.hex()), "00000000000000010000000000000002");
  for (const char* wrong :
       {"", "0", "0000000000000001000000000000000g", "0000000000000001000000000000000200",
        "-0000000000000010000000000000002"})
    EXPECT_THAT([&] { parse_digest128(wrong, "manifest"); },
                testing::ThrowsMessage<InputError>(testing::HasSubstr("manifest")))
        << wrong;
}

TEST(Digest, BlockCounts) {
  EXPECT_EQ(digest_block_count(0), 0u);
  EXPECT_EQ(digest_block_count(1), 1u);
  EXPECT_EQ(digest_block_count(kDigestBlockBytes), 1u);
  EXPECT_EQ(digest_block_count(kDigestBlockBytes + 1), 2u);
}

TEST(Digest, AFileIsItsBlocksInOrder) {
  const std::string path = testing::TempDir() + "/digest_test";
  std::vector<char> bytes(2 * kDigestBlockBytes + 12345);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(mix64(i));
  File writer = File::create(path);
  writer.append(bytes.data(), bytes.size());
  writer.close();

  const File file = File::open(path);
  std::vector<Digest128> blocks;
  for (uint64_t index = 3; index-- > 0;)  // in any order
    blocks.insert(blocks.begin(), digest_file_block(file, bytes.size(), index));
  EXPECT_EQ(blocks[1], digest128(bytes.data() + kDigestBlockBytes, kDigestBlockBytes));
  const Digest128 whole = digest_file(path);
  EXPECT_EQ(combine_digests(blocks, bytes.size()), whole);

  std::swap(blocks[0], blocks[1]);
  EXPECT_NE(combine_digests(blocks, bytes.size()), whole);
  std::swap(blocks[0], blocks[1]);
  EXPECT_NE(combine_digests(blocks, bytes.size() + 1), whole);

  File damage = File::create(path);
  bytes[kDigestBlockBytes + 5] ^= 1;
  damage.append(bytes.data(), bytes.size());
  damage.close();
  EXPECT_NE(digest_file(path), whole);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lynceus::io
