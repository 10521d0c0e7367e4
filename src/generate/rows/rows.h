// The rows of the input: questions about media. They come from
//
//   JSONL, or one JSON array of objects, as Open-VQA has them:
//     "question"             required
//     "image", or "images"   a path, or a list of paths, each with visual tokens of its own
//     "video", or "frames"   a path, or the paths of the frames of a video
//     "options"              with RowOptions::with_options: at least two different texts
//     everything else        kept in the answers file, not read
//   dataset shards           the last answer of a sample is the one that is asked for; it is the
//                            reference
//   one image and a question
//
// A row that cannot be used says why; it is listed, and the others are answered.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "generate/engine/feed.h"
#include "io/dataset/dataset.h"
#include "io/dataset/sample.h"
#include "train/data/batch_loader.h"

namespace lynceus::generate {

/// Where the media of a row is.
struct MediaOfRow {
  std::vector<std::filesystem::path> pictures;  // images, or the frames of a video
  std::filesystem::path video;
  const io::Dataset* dataset = nullptr;
  int64_t sample = 0;  // of the dataset
  PromptMedia prompt;  // no items: text only

  /// Rows with equal names share their media; empty: text only.
  std::string name() const;
};

struct Row {
  std::string json;             // the object as it came, without what surrounds it
  std::vector<io::Turn> turns;  // up to the question
  MediaOfRow media;
  std::vector<std::string> options = {};      // answers to choose from, by their likelihood
  std::optional<std::string> reference = {};  // of a sample of a dataset
  std::string problem = {};                   // why it cannot be answered; empty: it can
};

struct RowOptions {
  std::filesystem::path root = {};  // that relative paths begin at; empty: the folder of the file
  int64_t num_frames = 5;           // of a video
  std::string question = {};        // of rows without one; empty: they cannot be answered
  bool with_options = false;        // rows have options
  std::vector<std::string> added = {"answer_predicted"};  // members that answers get: rows with one
                                                          // cannot be answered
};

/// InputError if the file is not JSON or JSONL at all.
std::vector<Row> rows_of_file(const std::filesystem::path& file, const RowOptions& options);
/// `prompts`: of the dataset, as in training.
std::vector<Row> rows_of_dataset(const io::Dataset& dataset, const train::DatasetPrompts& prompts,
                                 uint64_t seed);
Row row_of_image(const std::filesystem::path& image, const std::string& question);

}  // namespace lynceus::generate
