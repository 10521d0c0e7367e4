// Pairs of per-item results, their differences, the sentence, and what is refused.
#include "evaluate/compare/compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/error.h"
#include "core/random.h"
#include "evaluate/benchmarks/mme_files.h"
#include "evaluate/compare/mme_score.h"
#include "evaluate/compare/page.h"
#include "evaluate/compare/paper_page.h"
#include "evaluate/compare/paper_rows.h"
#include "io/files/file.h"
#include "io/files/json.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

Item item(int64_t id, std::optional<bool> right, const std::string& class_ = "OCR") {
  Item made;
  made.benchmark = "openvqa";
  made.set = "images";
  made.class_ = class_;
  made.id = std::to_string(id);
  made.media = "picture-" + made.id;
  made.question = "what is " + made.id;
  made.reference = "this";
  made.answer = right.value_or(false) ? "this" : "that";
  made.right = right;
  made.judge = "gpt-4";
  return made;
}

/// Systems of which each is right on items first..last.
ItemFile file_of(const std::string& path, int64_t items, int64_t first, int64_t last) {
  ItemFile file{path, {}};
  for (int64_t i = 0; i < items; ++i)
    file.items.push_back(item(i, i >= first && i < last, i % 3 == 0 ? "OCR" : "Color"));
  return file;
}

TEST(Compare, CountsPairsOfTheWholeSetAndOfEachClass) {
  const std::vector<ItemFile> files = {file_of("a", 302, 0, 214), file_of("b", 302, 10, 240)};
  const ComparisonReport report = compare(files, {});
  ASSERT_EQ(report.comparisons.size(), 1u);
  const Comparison& one = report.comparisons[0];
  ASSERT_EQ(one.groups.size(), 3u);
  const ComparedGroup& all = one.groups[0];
  EXPECT_EQ(all.pairs, 302);
  EXPECT_EQ(all.media, 302);
  EXPECT_EQ(all.counts->both, 204);
  EXPECT_EQ(all.counts->only_first, 10);
  EXPECT_EQ(all.counts->only_second, 26);
  EXPECT_EQ(all.counts->neither, 62);
  EXPECT_NEAR(all.score.difference(), 16 / 302.0, 1e-12);
  EXPECT_NEAR(*all.p, mcnemar_p({0, 10, 26, 0}), 1e-15);
  EXPECT_EQ(one.groups[1].class_, "Color");
  EXPECT_EQ(one.groups[2].class_, "OCR");
  EXPECT_EQ(one.groups[1].pairs + one.groups[2].pairs, 302);
  EXPECT_TRUE(one.is_shown);
  EXPECT_THAT(one.sentence,
              AllOf(HasSubstr("a difference is shown: B is right more often than A by "
                              "5.3 points (95 % interval +"),
                    HasSubstr("exact McNemar p = 0.011, 302 pairs of 302 media")));
  EXPECT_TRUE(report.agreements.empty());
}

TEST(Compare, ADifferenceThatIsNotShownNamesThePairsItNeeds) {
  const std::vector<ItemFile> files = {file_of("a", 302, 0, 214), file_of("b", 302, 20, 240)};
  const Comparison one = compare(files, {}).comparisons.at(0);
  EXPECT_FALSE(one.is_shown);
  EXPECT_THAT(one.sentence,
              AllOf(HasSubstr("no difference is shown: B minus A is +2.0 points"),
                    HasSubstr(fmt::format("about {} pairs would show", *one.groups[0].needed))));
  const std::vector<ItemFile> same = {files[0], files[0]};
  const Comparison equal = compare(same, {}).comparisons.at(0);
  EXPECT_THAT(equal.sentence,
              HasSubstr("A and B are right equally often (exact McNemar p = 1.000"));
  EXPECT_FALSE(equal.groups[0].needed);
  EXPECT_FALSE(equal.groups[0].score.interval);
}

TEST(Compare, ManyItemsOfFewPicturesShowLess) {
  std::vector<ItemFile> files = {file_of("a", 40, 0, 20), file_of("b", 40, 0, 30)};
  EXPECT_TRUE(compare(files, {}).comparisons.at(0).is_shown);
  // All ten items that differ are of one picture.
  for (ItemFile& file : files)
    for (Item& one : file.items) one.media = std::stoi(one.id) / 10 == 2 ? "third" : one.media;
  const Comparison clustered = compare(files, {}).comparisons.at(0);
  EXPECT_EQ(clustered.groups[0].media, 31);
  EXPECT_LT(*clustered.groups[0].p, 0.05);
  EXPECT_EQ(clustered.groups[0].score.interval->low, 0);
  EXPECT_FALSE(clustered.is_shown);
  EXPECT_GT(clustered.groups[0].design_effect, 5);
}

TEST(Compare, TheIntervalIsAFunctionOfTheSeed) {
  const std::vector<ItemFile> files = {file_of("a", 50, 0, 20), file_of("b", 50, 10, 36)};
  const auto interval = [&](uint64_t seed) {
    return *compare(files, {seed, 500}).comparisons.at(0).groups[0].score.interval;
  };
  EXPECT_EQ(interval(1).low, interval(1).low);
  EXPECT_EQ(interval(1).high, interval(1).high);
  EXPECT_TRUE(interval(1).low != interval(2).low || interval(1).high != interval(2).high);
}

TEST(Compare, CountsWhatMakesNoPair) {
  std::vector<ItemFile> files = {file_of("a", 30, 0, 10), file_of("b", 27, 5, 20)};
  files[1].items[3].right.reset();
  files[0].items[4].right.reset();
  files[1].items.push_back(item(77, true));
  const Comparison one = compare(files, {}).comparisons.at(0);
  EXPECT_EQ(one.unpaired.only_first, 3);
  EXPECT_EQ(one.unpaired.only_second, 1);
  EXPECT_EQ(one.unpaired.not_scored, 2);
  EXPECT_EQ(one.groups[0].pairs, 25);
  const ComparisonReport report = compare(files, {});
  EXPECT_THAT(comparison_page({files, {}, {}}, report),
              AllOf(HasSubstr("left out: 3 only in A, 1 only in B, 2 not scored in both\n"),
                    HasSubstr("* fewer than 30 media items: the interval is too narrow\n")));
}

TEST(Compare, SetsOfOneFileAreSaid) {
  std::vector<ItemFile> files = {file_of("a", 30, 0, 10), file_of("b", 30, 5, 20)};
  Item extra = item(1, true);
  extra.benchmark = "mme";
  files[0].items.push_back(extra);
  const ComparisonReport report = compare(files, {});
  ASSERT_EQ(report.comparisons.size(), 2u);
  EXPECT_EQ(report.comparisons[0].sentence,
            "mme images: not compared: A has 1 item of it, B has none.");
}

TEST(Compare, RefusesOtherVersionsOfABenchmarkAndFilesWithoutCommonItems) {
  std::vector<ItemFile> files = {file_of("a", 30, 0, 10), file_of("b", 30, 5, 20)};
  files[1].items[2].question = "another one";
  files[1].items[3].reference = "another one";
  files[1].items[4].class_ = "Place";
  EXPECT_THAT([&] { compare(files, {}); },
              ThrowsMessage<InputError>(AllOf(
                  HasSubstr("openvqa images 2: question: expected the same in both files, found "
                            "'what is 2' and 'another one'"),
                  HasSubstr("openvqa images 3: reference"), HasSubstr("openvqa images 4: class"))));
  for (Item& one : files[1].items) one.benchmark = "mme";
  EXPECT_THAT([&] { compare(files, {}); },
              ThrowsMessage<InputError>(HasSubstr("b: expected items that are in a too")));
}

TEST(Compare, JudgesAreNeverMixed) {
  std::vector<ItemFile> files = {file_of("a", 30, 0, 10), file_of("b", 30, 0, 10)};
  for (Item& one : files[1].items) one.judge = "exact";
  files[1].items[9].right = false;  // the same answer
  files[1].items[20].answer = "something else";
  const ComparisonReport report = compare(files, {});
  EXPECT_TRUE(report.comparisons.at(0).groups.empty());
  EXPECT_THAT(
      report.comparisons[0].sentence,
      HasSubstr("A was scored by 'gpt-4', B by 'exact': a difference could be that of the"));
  ASSERT_EQ(report.agreements.size(), 1u);
  EXPECT_EQ(report.agreements[0].items, 29) << "items with equal answers";
  EXPECT_EQ(report.agreements[0].equal, 28);
  EXPECT_NEAR(*report.agreements[0].kappa, *cohens_kappa(std::vector<double>{9, 1, 0, 19}), 1e-12);
}

TEST(Compare, TwoJudgesInOneFileAgreeByKappa) {
  std::vector<ItemFile> files = {file_of("a", 40, 0, 20), file_of("b", 40, 0, 24)};
  for (ItemFile& file : files)
    for (size_t i = 0; i < 40; ++i) {
      Item again = file.items[i];
      again.judge = "other";
      if (i % 8 == 0) again.right = !*again.right;
      file.items.push_back(again);
    }
  const ComparisonReport report = compare(files, {});
  ASSERT_EQ(report.comparisons.size(), 2u);
  EXPECT_EQ(report.comparisons[0].judge, "gpt-4");
  EXPECT_EQ(report.comparisons[1].judge, "other");
  ASSERT_EQ(report.agreements.size(), 2u);
  EXPECT_EQ(report.agreements[0].equal, 35);
  EXPECT_NEAR(*report.agreements[0].kappa, *cohens_kappa(std::vector<double>{17, 3, 2, 18}), 1e-12);
  EXPECT_TRUE(report.agreements[0].interval);
}

TEST(Compare, ValuesHaveAnIntervalAndNoExactTest) {
  std::vector<ItemFile> files = {{"a", {}}, {"b", {}}};
  const CounterRandom random(3, "values");
  for (int64_t i = 0; i < 82; ++i)
    for (size_t f : {0, 1}) {
      Item one = item(i, std::nullopt);
      one.value = random.uniform(static_cast<uint64_t>(i)) +
                  (f == 0 ? 0 : 0.05 + 0.02 * random.normal(static_cast<uint64_t>(i)));
      files[f].items.push_back(one);
    }
  const Comparison one = compare(files, {}).comparisons.at(0);
  EXPECT_FALSE(one.groups[0].counts);
  EXPECT_FALSE(one.corrected_p);
  EXPECT_NEAR(one.groups[0].score.difference(), 0.05, 0.01);
  EXPECT_NEAR(one.groups[0].score.interval->high - one.groups[0].score.interval->low,
              2 * 1.96 * 0.02 / std::sqrt(82.0), 0.003);
  EXPECT_THAT(one.sentence, HasSubstr("a difference is shown: B scores higher than A by 0.05"));
}

TEST(Compare, SeveralSystemsAreCorrectedForTheirNumber) {
  // p = 0.031 alone; with two comparisons it is above 5 %.
  const std::vector<ItemFile> two = {file_of("a", 60, 0, 20), file_of("b", 60, 0, 26)};
  EXPECT_TRUE(compare(two, {}).comparisons.at(0).is_shown);
  const std::vector<ItemFile> three = {two[0], two[1], file_of("c", 60, 0, 21)};
  const ComparisonReport report = compare(three, {});
  ASSERT_EQ(report.comparisons.size(), 2u);
  EXPECT_NEAR(*report.comparisons[0].corrected_p, 0.0625, 1e-9);
  EXPECT_FALSE(report.comparisons[0].is_shown);
  EXPECT_NEAR(report.comparisons[0].confidence, 0.975, 1e-12);
  EXPECT_THAT(report.comparisons[0].sentence, HasSubstr("0.062 after Holm's correction"));
}

TEST(Compare, ReadsFilesAndFoldersOfItems) {
  const fs::path folder = fs::path(testing::TempDir()) / "items";
  fs::create_directories(folder);
  const std::string row = to_json(item(1, true));
  std::ofstream(folder / "items.jsonl") << row << "\n" << to_json(item(2, false)) << "\n";
  std::ofstream(folder / "items-mme.jsonl")
      << R"({"benchmark": "mme", "id": 7, "right": null, "value": 0.5, "extra": [1]})"
      << "\n";
  const ItemFile read = read_item_file(folder);
  ASSERT_EQ(read.items.size(), 3u);
  EXPECT_EQ(read.items[0].id, "7");
  EXPECT_EQ(read.items[0].value, 0.5);
  EXPECT_FALSE(read.items[0].right);
  EXPECT_EQ(to_json(read.items[1]), row);

  std::ofstream(folder / "bad.jsonl") << row << "\n{\"benchmark\": 1}\nnonsense\n" << row << "\n";
  EXPECT_THAT([&] { read_item_file(folder / "bad.jsonl"); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("bad.jsonl:2"), HasSubstr("bad.jsonl:3"),
                        HasSubstr("found openvqa images 1 of judge 'gpt-4' again, first in "),
                        HasSubstr("bad.jsonl:1"))));
  EXPECT_THAT([&] { read_item_file(folder / "absent.jsonl"); },
              ThrowsMessage<InputError>(HasSubstr("absent.jsonl")));
  fs::create_directories(folder / "empty");
  EXPECT_THAT([&] { read_item_file(folder / "empty"); },
              ThrowsMessage<InputError>(HasSubstr("expected per-item results, items*.jsonl")));
}

/// Two questions of each picture in two tasks; `right` of picture p and question q.
std::vector<Item> mme_items(const std::function<bool(int, int)>& right) {
  std::vector<Item> items;
  for (int p = 0; p < 20; ++p)
    for (int q : {0, 1}) {
      Item one = item(2 * p + q, right(p, q), "perception");
      one.benchmark = "mme";
      one.set = "";
      one.task = p < 10 ? "existence" : "count";
      one.media = fmt::format("{}/{}.jpg", one.task, p);
      items.push_back(one);
    }
  return items;
}

TEST(Compare, MmeScoresAreAccuracyPlusAccuracyPlus) {
  // Existence: 10 of 10 pictures, count: 5 of 10 pictures with both, 5 with one.
  const std::vector<Item> items = mme_items([](int p, int q) { return p < 15 || q == 0; });
  std::vector<const Item*> pointers;
  for (const Item& one : items) pointers.push_back(&one);
  EXPECT_NEAR(mme_score(pointers), 100 + 100 + 75 + 50, 1e-9);
  EXPECT_EQ(mme_score({}), 0);

  const std::vector<ItemFile> files = {{"a", items},
                                       {"b", mme_items([](int p, int) { return p != 3; })}};
  const Comparison one = compare(files, {}).comparisons.at(0);
  ASSERT_EQ(one.groups.size(), 3u);
  EXPECT_EQ(one.groups[1].task, "count");
  EXPECT_NEAR(one.groups[0].mme->first, 325, 1e-9);
  EXPECT_NEAR(one.groups[0].mme->second, 380, 1e-9);
  EXPECT_NEAR(one.groups[1].mme->difference(), 75, 1e-9);
  EXPECT_TRUE(one.groups[0].mme->interval);
}

TEST(Compare, ThePaperIsBesideWhatWasMeasured) {
  const auto tables = read_paper_tables(LYNCEUS_SOURCE_DIR "/configs/paper");
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_EQ(tables[0].rows.size(), 15u);
  EXPECT_EQ(tables[1].rows.size(), 10u);
  EXPECT_EQ(tables[2].rows.size(), 7u);
  EXPECT_EQ(paper_column(tables[1], "Action(Y/N)"), 0u);
  EXPECT_EQ(paper_column(tables[2], "code_reasoning"), 14u);
  EXPECT_FALSE(paper_column(tables[0], "Weather"));

  std::vector<ItemFile> files = {file_of("a", 30, 0, 10), {"b", {}}};
  files[1].items = mme_items([](int p, int q) { return p < 15 || q == 0; });
  const auto found = with_measured(tables, files);
  ASSERT_EQ(found.size(), 2u);
  const auto& images = found[0].measured.at(0).figures;
  EXPECT_NEAR(*images[0], 40, 1e-9) << "4 of 10 of OCR";
  EXPECT_FALSE(images[1]);
  EXPECT_NEAR(*images.back(), 100 / 3.0, 1e-9);
  const auto& mme = found[1].measured.at(0).figures;
  EXPECT_NEAR(*mme[0], 200, 1e-9);
  EXPECT_NEAR(*mme[1], 125, 1e-9);
  EXPECT_FALSE(mme[10]) << "a sum of tasks that are absent";
  EXPECT_THAT(paper_page(found), AllOf(HasSubstr("are reported, not measured here"),
                                       HasSubstr("Lynx llama"), HasSubstr("1373.23")));
}

TEST(Compare, EachTaskAndClassOfTheBenchmarksHasAColumnOfThePaper) {
  const auto tables = read_paper_tables(LYNCEUS_SOURCE_DIR "/configs/paper");
  for (const MmeTask& task : mme_tasks())
    EXPECT_TRUE(paper_column(tables[2], std::string(task.name))) << task.name;
  EXPECT_EQ(mme_tasks().size() + 2, tables[2].columns.size()) << "two sums";
  for (const auto& [file, table] : {std::pair("Open_VQA_images.jsonl", &tables[0]),
                                    std::pair("Open_VQA_videos.jsonl", &tables[1])}) {
    io::JsonLines rows(fs::path(LYNCEUS_SOURCE_DIR "/tests/data/openvqa") / file);
    while (const auto row = rows.next())
      EXPECT_TRUE(paper_column(*table, row->at("class").string())) << row->dump();
  }
}

TEST(Compare, DamagedTablesOfThePaperAreRefused) {
  const fs::path folder = fs::path(testing::TempDir()) / "paper";
  fs::copy(LYNCEUS_SOURCE_DIR "/configs/paper", folder);
  const auto change = [&](const std::string& file, const std::string& from, const std::string& to) {
    std::string text = io::read_text(fs::path(LYNCEUS_SOURCE_DIR "/configs/paper") / file);
    text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / file) << text;
  };
  change("mme.csv", "1293.84", "1294.84");
  EXPECT_THAT([&] { read_paper_tables(folder); },
              ThrowsMessage<InputError>(HasSubstr("mme.csv:12: BLIP2: expected 1293.84")));
  change("open_vqa_image.csv", "Lynx,1,36,25", "Lynx,1,36,x5");
  EXPECT_THAT([&] { read_paper_tables(folder); },
              ThrowsMessage<InputError>(HasSubstr("open_vqa_image.csv:10: Counting")));
  change("open_vqa_image.csv", "Lynx,1,36,25", "Lynx,1,36,24");
  EXPECT_THAT([&] { read_paper_tables(folder); },
              ThrowsMessage<InputError>(HasSubstr("right: expected 229.00, which follows")));
}

}  // namespace
}  // namespace lynceus::evaluate
