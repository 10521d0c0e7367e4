// Reads the three kinds of generation cases into one form.
#include "verify/generation_case.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "io/files/json.h"
#include "io/weight_views/overlaid_weights.h"
#include "io/weights/weight_files.h"
#include "verify/reference_case.h"

namespace lynceus::verify {
namespace {

namespace fs = std::filesystem;
using generate::Search;

constexpr int64_t kMostTokens = 1 << 20;

std::vector<int32_t> tokens_of(const io::Json& json, int64_t vocab_size) {
  std::vector<int32_t> tokens;
  for (const int64_t token : json.integers(0, vocab_size - 1))
    tokens.push_back(static_cast<int32_t>(token));
  return tokens;
}

const std::map<std::string, int64_t generate::Decoding::*> kCounts = {
    {"max_new_tokens", &generate::Decoding::max_new_tokens},
    {"min_length", &generate::Decoding::min_length},
    {"min_new_tokens", &generate::Decoding::min_new_tokens},
    {"num_beams", &generate::Decoding::num_beams},
    {"no_repeat_ngram_size", &generate::Decoding::no_repeat_ngram_size},
    {"top_k", &generate::Decoding::top_k}};
const std::map<std::string, double generate::Decoding::*> kNumbers = {
    {"top_p", &generate::Decoding::top_p},
    {"temperature", &generate::Decoding::temperature},
    {"length_penalty", &generate::Decoding::length_penalty},
    {"repetition_penalty", &generate::Decoding::repetition_penalty}};

/// Settings under the names of Hugging Face. eos_token_id becomes `eos`.
generate::Settings settings_of(const io::Json& json, int32_t* eos) {
  generate::Settings settings;
  for (const auto& [key, value] : json.members()) {
    if (const auto count = kCounts.find(key); count != kCounts.end()) {
      settings.*count->second = value.integer(0, kMostTokens);
    } else if (const auto number = kNumbers.find(key); number != kNumbers.end()) {
      settings.*number->second = value.number();
    } else if (key == "num_return_sequences") {
      settings.num_return_sequences = value.integer(0, kMostTokens);
    } else if (key == "do_sample") {
      settings.do_sample = value.boolean();
    } else if (key == "early_stopping") {
      settings.early_stopping = value.is_string() ? value.string()
                                : value.boolean() ? "true"
                                                  : "false";
    } else if (key == "eos_token_id") {
      *eos = static_cast<int32_t>(value.integer(0, kMostTokens));
    } else if (key != "name" && key != "pad_token_id" && key != "bos_token_id") {
      throw InputError("{}: an argument of generate() that is not supported", value.where());
    }
  }
  return settings;
}

void read_rows(const io::SafetensorsFile& file, const Stream& stream, GenerationCase* read) {
  const Tensor ids = file.read(stream, "input_ids"), mask = file.read(stream, "attention_mask");
  if (ids.rank() != 2 || ids.shape() != mask.shape() || ids.dtype() != DType::kI64 ||
      mask.dtype() != DType::kI64)
    throw InputError(
        "{}: expected input_ids and attention_mask i64 [rows, columns], found {} and {}",
        file.path().string(), ids.shape().to_string(), mask.shape().to_string());
  int64_t visual = 0;
  for (const int64_t frames : read->media.item_frames) visual += read->model.visual_tokens(frames);
  for (int64_t row = 0; row < ids.dim(0); ++row) {
    std::vector<int32_t> tokens, positions;
    for (int64_t v = 0; v < visual; ++v) positions.push_back(static_cast<int32_t>(v));
    for (int64_t t = 0; t < ids.dim(1); ++t) {
      const int64_t at = row * ids.dim(1) + t, id = ids.data<int64_t>()[at];
      if (mask.data<int64_t>()[at] == 0) continue;
      if (id < 0 || id >= read->model.llm.vocab_size)
        throw InputError("{}: input_ids[{}, {}] is {}, expected 0 to {}", file.path().string(), row,
                         t, id, read->model.llm.vocab_size - 1);
      tokens.push_back(static_cast<int32_t>(id));
      positions.push_back(static_cast<int32_t>(visual + t));
    }
    if (tokens.empty())
      throw InputError("{}: row {} of input_ids is masked as a whole", file.path().string(), row);
    read->token_ids.push_back(std::move(tokens));
    read->padded_positions.push_back(std::move(positions));
  }
}

void read_media(const io::SafetensorsFile& file, const std::string& kind, const Stream& stream,
                GenerationCase* read) {
  if (kind == "none") return;
  const int64_t side = read->model.vision.image_size;
  const Shape found = file.entry("pixels").shape;
  const bool several = kind == "frames" || kind == "images";
  if (!several && kind != "image")
    throw InputError("{}: media: expected image, frames, images or none, found {}",
                     (read->directory / "config.json").string(), kind);
  const int64_t frames = several && found.rank() == 5 ? found[1] : 1;
  const Shape expected =
      several ? Shape{found[0], frames, 3, side, side} : Shape{found[0], 3, side, side};
  if (found != expected)
    throw InputError("{}: pixels has shape {}, expected {}", file.path().string(),
                     found.to_string(), expected.to_string());
  read->pixels = file.read(stream, "pixels").reshape({found[0], frames, 3, side, side});
  read->media.is_video = kind == "frames";
  if (kind == "images")
    read->media.item_frames.assign(static_cast<size_t>(frames), 1);
  else
    read->media.item_frames = {frames};
}

void expect_rows(const io::Json& rows, const GenerationCase& read) {
  if (rows.size() != read.token_ids.size())
    throw InputError("{}: expected {} rows as in inputs.safetensors, found {}", rows.where(),
                     read.token_ids.size(), rows.size());
}

/// Greedy tokens, of which none ends a row.
void read_tokens(const io::Json& json, GenerationCase* read) {
  for (const char* positions : {"hf_positions", "arange_positions"}) {
    const auto rows = json.find(positions);
    if (!rows) continue;
    expect_rows(*rows, *read);
    GenerationRun run;
    run.name = positions;
    run.has_padded_positions = std::string(positions) == "arange_positions";
    for (const io::Json& row : rows->elements()) {
      const std::vector<int32_t> tokens = tokens_of(row, read->model.llm.vocab_size);
      run.settings.max_new_tokens = static_cast<int64_t>(tokens.size());
      run.rows.push_back({{{tokens, false, 0, 0, 0}}, {}});
    }
    read->runs.push_back(std::move(run));
  }
}

/// The best answer of each row, after the dummy BOS.
void read_beam_rows(const io::Json& json, GenerationCase* read) {
  for (const auto& [name, entry] : json.members()) {
    GenerationRun run;
    run.name = name;
    run.settings = settings_of(entry.at("settings"), &run.eos);
    expect_rows(entry.at("rows"), *read);
    for (const io::Json& row : entry.at("rows").elements()) {
      std::vector<int32_t> tokens = tokens_of(row, read->model.llm.vocab_size);
      if (tokens.empty() || tokens.front() != read->bos)
        throw InputError("{}: expected BOS {} first", row.where(), read->bos);
      tokens.erase(tokens.begin());
      const bool ended = !tokens.empty() && tokens.back() == run.eos;
      run.rows.push_back({{{std::move(tokens), ended, 0, 0, 0}}, {}});
    }
    read->runs.push_back(std::move(run));
  }
}

Search::Answer answer_of(const io::Json& json, int64_t vocab_size) {
  Search::Answer answer{tokens_of(json.at("tokens"), vocab_size), json.at("ended").boolean(), 0, 0,
                        0};
  if (const auto sum = json.find("sum")) {
    answer.sum = sum->number();
    answer.length = json.at("length").integer(1);
    answer.score = json.at("score").number();
  }
  return answer;
}

std::vector<GivenStep> steps_of(const io::Json& json) {
  std::vector<GivenStep> steps;
  const auto index = [](const io::Json& value) {
    return static_cast<int32_t>(value.integer(0, kMostTokens));
  };
  for (const io::Json& step : json.elements()) {
    GivenStep given;
    for (const io::Json& choice : step.at("possible").elements())
      given.possible.push_back({index(choice.at(size_t{0})), index(choice.at(size_t{1})), 0,
                                choice.at(size_t{2}).number()});
    for (const io::Json& drawn : step.at("drawn").elements())
      given.drawn.emplace_back(index(drawn.at(size_t{0})), index(drawn.at(size_t{1})));
    steps.push_back(std::move(given));
  }
  return steps;
}

ExpectedRow row_of(const io::Json& json, int64_t vocab_size) {
  ExpectedRow row;
  if (const auto sequences = json.find("sequences")) {
    for (const io::Json& sequence : sequences->elements())
      row.answers.push_back(answer_of(sequence, vocab_size));
  } else if (const auto sequence = json.find("sequence")) {
    row.answers.push_back(answer_of(*sequence, vocab_size));
    row.steps = steps_of(json.at("steps"));
  } else {
    row.answers.push_back(answer_of(json, vocab_size));
  }
  return row;
}

void read_given_tokens(const io::Json& json, const Stream& stream, GenerationCase* read) {
  GivenTokens given;
  expect_rows(json, *read);
  size_t steps = SIZE_MAX;
  for (const io::Json& row : json.elements()) {
    given.tokens.push_back(tokens_of(row, read->model.llm.vocab_size));
    steps = std::min(steps, given.tokens.back().size());
  }
  given.runs = std::move(read->runs);
  read->runs.clear();
  const io::SafetensorsFile file(read->directory / "expected.safetensors");
  const Shape shape{static_cast<int64_t>(steps), static_cast<int64_t>(given.tokens.size()),
                    read->model.llm.vocab_size};
  for (const GenerationRun& run : given.runs) {
    if (file.entry(run.name).shape != shape)
      throw InputError("{}: {} has shape {}, expected {}", file.path().string(), run.name,
                       file.entry(run.name).shape.to_string(), shape.to_string());
    given.expected.push_back(file.read(stream, run.name).to_vector<float>());
  }
  read->given = std::move(given);
}

void read_runs(const io::Json& config, const io::Json& expected, const Stream& stream,
               GenerationCase* read) {
  const auto given = expected.find("given_tokens");
  for (const io::Json& arguments : config.at("generate").elements()) {
    GenerationRun run;
    run.name = arguments.at("name").string();
    run.settings = settings_of(arguments, &run.eos);
    if (!given) {
      const io::Json rows = expected.at("runs").at(run.name).at("rows");
      expect_rows(rows, *read);
      for (const io::Json& row : rows.elements()) {
        run.rows.push_back(row_of(row, read->model.llm.vocab_size));
        run.has_sums = row.find("sequences") || row.find("sequence");
      }
    }
    read->runs.push_back(std::move(run));
  }
  if (given) read_given_tokens(*given, stream, read);
}

}  // namespace

bool is_generation_case(const fs::path& directory) {
  return fs::exists(directory / "tokens.json") || fs::exists(directory / "beam_rows.json") ||
         fs::exists(directory / "expected.json");
}

GenerationCase read_generation_case(const fs::path& directory, const Stream& stream) {
  const io::Json config = io::Json::read(directory / "config.json");
  GenerationCase read;
  read.directory = directory;
  read.weights = io::open_weights(directory / "weights.safetensors");
  if (fs::exists(directory / "overlay.safetensors"))
    read.weights = io::overlaid(read.weights, io::open_weights(directory / "overlay.safetensors"));
  read.model = read_model_config(config, *read.weights);
  read.model.llm.train.clear();
  if (const auto bos = config.at("llm").find("bos_token_id"))
    read.bos = static_cast<int32_t>(bos->integer(0, read.model.llm.vocab_size - 1));
  const io::SafetensorsFile inputs(directory / "inputs.safetensors");
  const auto kind = config.find("media");
  read_media(inputs,
             kind                   ? kind->string()
             : inputs.has("pixels") ? "image"
                                    : "none",
             stream, &read);
  read_rows(inputs, stream, &read);
  if (read.pixels.defined() && read.pixels.dim(0) != static_cast<int64_t>(read.token_ids.size()))
    throw InputError("{}: pixels has {} rows, input_ids {}", inputs.path().string(),
                     read.pixels.dim(0), read.token_ids.size());
  if (fs::exists(directory / "tokens.json"))
    read_tokens(io::Json::read(directory / "tokens.json"), &read);
  if (fs::exists(directory / "beam_rows.json"))
    read_beam_rows(io::Json::read(directory / "beam_rows.json"), &read);
  if (fs::exists(directory / "expected.json"))
    read_runs(config, io::Json::read(directory / "expected.json"), stream, &read);
  return read;
}

}  // namespace lynceus::verify
