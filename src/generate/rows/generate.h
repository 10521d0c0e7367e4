// Answers the rows of the input on all ranks and writes the file of answers.
#pragma once

#include <string>
#include <vector>

#include "core/config/faults.h"
#include "generate/engine/decoder.h"
#include "generate/rows/answers_file.h"
#include "generate/rows/row_feed.h"
#include "parallel/communicator.h"

namespace lynceus::generate {

/// How the work is divided; changes no answer. Further keys of the section [generate].
struct WorkConfig {
  int64_t batch_size = 8;
  std::string cache = "auto";
  int64_t max_input_tokens = 0;
  int64_t context = 0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("generate", "how answers are decoded");
    v.field("generate.batch_size", batch_size,
            "rows that a replica answers at the same time, for each of its stages; changes no "
            "answer");
    v.choice("generate.cache", cache, {"auto", "f32", "bf16"},
             "type of the cache of keys and values; auto: that of precision");
    v.field("generate.max_input_tokens", max_input_tokens,
            "of a longer prompt the last tokens stay, as in the released code (40); 0: all");
    v.field("generate.context", context,
            "most positions of the model: a longer prompt is rejected; 0: those of config.json in "
            "model.weights, else 2048");
  }
  void check(ConfigFaults* faults) const;
  DType cache_type(DType precision) const;
};

/// What the card says besides the settings.
struct ModelIdentity {
  std::string weights;     // digests or origins of the frozen weights
  std::string checkpoint;  // digest of the checkpoint
};

/// The members of the card (generate/rows/answers_file.h).
Card make_card(const Conversation& conversation, const WorkConfig& work, DType precision,
               const ModelIdentity& identity, bool with_scores);

/// Positions of a model: of config.json in `weights`, a Hugging Face directory; 2048 if `weights`
/// is empty.
int64_t context_of(const std::string& weights);

/// Every rank reads the rows of `file` itself: IoError, agreed, if they are not those of rank 0.
/// Collective over `world`.
void expect_same_rows(parallel::Communicator& world, const std::vector<Row>& rows,
                      const std::string& file);

struct AnswerReport {
  size_t rows = 0, answered = 0, kept = 0;      // kept: of an earlier start
  std::map<size_t, std::string> rejected = {};  // reasons, by row
  double seconds = 0;
  int64_t tokens = 0;       // of answers and descriptions, by this start
  int64_t cache_bytes = 0;  // of this rank
};

struct AnswerOptions {
  DecoderOptions decoder;  // without cache_rows
  bool with_scores = false;
  bool overwrite = false;
  bool shows_progress = true;
};

/// Collective over the world; the same report on every rank but for `cache_bytes`. `file` null: the
/// answers are given to `sink` only, on every rank of the replica that has them. Errors are agreed,
/// but for those of one rank while rows are answered: the others must then be ended.
AnswerReport answer_rows(const Runtime& rt, const model::LynxModel& model,
                         const std::vector<Row>& rows, const Conversation& conversation,
                         const MediaReader& media, const AnswerOptions& options, AnswerOutput* file,
                         const RowFeed::Sink& sink);

}  // namespace lynceus::generate
