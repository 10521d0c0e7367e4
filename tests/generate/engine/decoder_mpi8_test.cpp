// The grid changes no answer, to the last bit of its sum: every grid of 8 ranks and fewer with 1,
// 2, or 4 tensor ranks. The vocabulary of 97 does not divide.
#include "generate/engine/decoder.h"

#include <gtest/gtest.h>

#include "parallel/mpi_session.h"
#include "random_rows.h"

namespace lynceus::generate {
namespace {

constexpr uint64_t kRows = 200;

class GridTest : public testing::TestWithParam<parallel::GridShape> {};

TEST_P(GridTest, AnswersAreThoseOfOneRank) {
  const RandomRows rows(kRows);
  const Runtime rt{Stream(), parallel::make_grid(GetParam(), parallel::make_world())};
  const auto replicas = static_cast<uint64_t>(rt.grid.data->size());
  std::vector<Prompt> mine;
  for (const Prompt& prompt : rows.prompts)
    if (prompt.row % replicas == static_cast<uint64_t>(rt.grid.data->rank()))
      mine.push_back(prompt);
  const Answers found = rows.answer(rt, mine, 3);
  EXPECT_EQ(found.size(), mine.size());
  // Each rank compares a part, computed alone.
  std::vector<Prompt> part;
  for (size_t i = 0; i < mine.size(); ++i)
    if (static_cast<int>(i) % rt.grid.replica->size() == rt.grid.replica->rank())
      part.push_back(mine[i]);
  for (const auto& [row, answers] : rows.answer(alone(), part, 11))
    EXPECT_TRUE(are_equal(answers, found.at(row))) << "row " << row;
  // Given answers too.
  const std::vector<Prompt> given = given_prompts(rows, found);
  const Answers on_grid = rows.answer(rt, given, 2);
  EXPECT_EQ(on_grid.size(), given.size());
  for (const auto& [row, answers] : on_grid)
    EXPECT_EQ(answers.at(kDecoded).sum, found.at(row).front().sum) << "row " << row;
}

INSTANTIATE_TEST_SUITE_P(Grids, GridTest,
                         testing::Values(parallel::GridShape{2, 4, 1}, parallel::GridShape{4, 1, 2},
                                         parallel::GridShape{2, 2, 2}, parallel::GridShape{1, 2, 4},
                                         parallel::GridShape{4, 2, 1}),
                         [](const auto& of) {
                           const parallel::GridShape& shape = of.param;
                           return std::to_string(shape.tensor) + "x" +
                                  std::to_string(shape.pipeline) + "x" + std::to_string(shape.data);
                         });

}  // namespace
}  // namespace lynceus::generate
