#include "evaluate/owleval/sheet.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/owleval/ratings.h"
#include "evaluate/owleval/sheet_page.h"
#include "evaluate/words.h"
#include "io/files/file.h"
#include "io/files/json_value.h"
#include "io/files/missing_file.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i)
      text += at + i > bytes.size() ? '=' : kDigits[group >> (18 - 6 * i) & 63];
  }
  return text;
}

/// The type of an image that browsers show; empty: they do not show it.
std::string_view media_type(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xD8")) return "image/jpeg";
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("GIF8")) return "image/gif";
  if (bytes.starts_with("RIFF")) return "image/webp";
  return bytes.starts_with("BM") ? "image/bmp" : "";
}

/// {"width", "height", "source"}. The file is embedded unchanged if browsers show its format.
JsonValue embed(const fs::path& path) {
  if (!io::file_exists(path))
    throw InputError("{}: expected a picture of OwlEval, found {}", path.string(),
                     io::missing_text(path));
  std::string bytes = io::read_text(path);
  const io::Image image = io::decode_image(bytes, path.string());
  std::string type(media_type(bytes));
  if (type.empty()) {
    constexpr int kQuality = 95;
    bytes = io::encode_jpeg(image, kQuality);
    type = "image/jpeg";
  }
  return JsonValue::object({{"width", image.width},
                            {"height", image.height},
                            {"source", fmt::format("data:{};base64,{}", type, base64(bytes))}});
}

/// With m models on 5 scores at least m - 5 pairs are equal: one for 6, too many beyond.
void check_models(const OwlAnswers& answers, InputFaults* faults) {
  const size_t models = answers.models.size();
  const bool fits = models <= kMostScore ||
                    (models == kMostScore + 1 && answers.questions.size() <= size_t{kMostTies});
  if (!fits)
    faults->add(
        fmt::format("owleval: expected at most {} models, because at most {} of them may "
                    "have the same score on an item and at most {} items may have a tie; "
                    "found {}",
                    kMostScore, kMostTiedModels, kMostTies, models));
}

JsonValue sheet_data(const OwlAnswers& answers, uint64_t seed, const fs::path& images) {
  InputFaults faults;
  check_models(answers, &faults);
  std::map<std::string, JsonValue> pictures;
  JsonValue items = JsonValue::array();
  for (size_t q = 0; q < answers.questions.size(); ++q) {
    const OwlQuestion& question = answers.questions[q];
    faults.collect([&] {
      if (stripped(question.text).empty())
        throw InputError(
            "question {}: expected its text in the answers or in --questions, found "
            "none",
            question.id);
      if (!images.empty() && question.image.empty())
        throw InputError(
            "question {}: expected the name of its image in the answers or in "
            "--questions, found none",
            question.id);
      if (!images.empty() && !pictures.contains(question.image)) {
        pictures[question.image] = JsonValue();
        pictures[question.image] = embed(images / question.image);
      }
    });
    JsonValue shown = JsonValue::array();
    for (const size_t model : shown_order(seed, question.id, answers.models.size()))
      shown.push_back(answers.models[model].answers[q]);
    items.push_back(JsonValue::object({{"id", std::to_string(question.id)},
                                       {"question", question.text},
                                       {"image", question.image},
                                       {"answers", shown}}));
  }
  faults.raise();
  JsonValue embedded = JsonValue::object();
  for (const auto& [name, picture] : pictures) embedded.set(name, picture);
  return JsonValue::object({{"format", kRatingsFormat},
                            {"sheet", sheet_digest(answers, seed)},
                            {"seed", std::to_string(seed)},
                            {"padding", kSheetPadding},
                            {"most_score", kMostScore},
                            {"most_tied_models", kMostTiedModels},
                            {"most_ties", kMostTies},
                            {"items", items},
                            {"pictures", embedded}});
}

}  // namespace

std::string make_sheet(const OwlAnswers& answers, uint64_t seed, const fs::path& images) {
  // "<" would end the script element if an answer contains "</script>".
  const std::string data =
      replaced(sheet_data(answers, seed, images).dump_replacing(), "<", "\\u003c");
  return replaced(kSheetPage, "@DATA@", data);
}

}  // namespace lynceus::evaluate
