// What judges and other programs write: results of a judge, requests to it, per-item results, the
// paper's tables. The first byte chooses the reader.
#include "evaluate/compare/compare.h"
#include "evaluate/compare/item_file.h"
#include "evaluate/compare/page.h"
#include "evaluate/compare/paper_rows.h"
#include "evaluate/judge/question.h"
#include "evaluate/judge/replies.h"
#include "evaluate/judge/requests.h"
#include "fuzz/fuzz.h"
#include "io/files/json.h"

using namespace lynceus;

namespace {

void use_replies(const std::filesystem::path& path) {
  for (const auto& [id, reply] : evaluate::read_replies(path).by_id) {
    fuzz::require(reply.id == id, "replies by their ids");
    fuzz::require(reply.text.has_value() || reply.model.empty(), "a model has answered");
    if (reply.text) evaluate::verdict_of_reply(*reply.text);
  }
}

/// What is accepted is equal after writing and reading.
void use_requests(const std::filesystem::path& path) {
  const auto requests = evaluate::read_requests(path);
  evaluate::write_requests(path, requests);
  const auto again = evaluate::read_requests(path);
  fuzz::require(again.size() == requests.size(), "as many requests");
  for (size_t i = 0; i < again.size(); ++i)
    fuzz::require(again[i].id == requests[i].id && again[i].body == requests[i].body &&
                      again[i].digest == requests[i].digest,
                  "the same requests");
}

/// A system does not differ from itself.
void use_items(const std::filesystem::path& path) {
  const evaluate::ItemFile file = evaluate::read_item_file(path);
  const std::vector<evaluate::ItemFile> files = {file, file};
  const evaluate::CompareOptions options{1, 20};
  const evaluate::ComparisonReport report = evaluate::compare(files, options);
  for (const evaluate::Comparison& one : report.comparisons)
    fuzz::require(!one.is_shown, "no difference to itself");
  const evaluate::ComparedFiles compared{files, {}, options};
  evaluate::comparison_page(compared, report);
  io::Json::parse(evaluate::comparison_json(compared, report).dump_replacing(), "comparison");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string input = fuzz::text_of(data + 1, size - 1);
  const auto path = fuzz::folder().file("verdicts.jsonl", input);
  fuzz::accepts([&] {
    switch (data[0] % 4) {
      case 0:
        return use_replies(path);
      case 1:
        return use_requests(path);
      case 2:
        return use_items(path);
      default:
        for (const char* name : {"open_vqa_image.csv", "open_vqa_video.csv", "mme.csv"})
          fuzz::folder().file(name, input);
        evaluate::read_paper_tables(path.parent_path());
    }
  });
  return 0;
}
