#include "generate/engine/decisions.h"

#include <cstring>
#include <type_traits>

#include "core/check.h"

namespace lynceus::generate {
namespace {

class Writer {
 public:
  template <typename T>
  void add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  template <typename T>
  void add_all(const std::vector<T>& values) {
    add(static_cast<int64_t>(values.size()));
    for (const T& value : values) add(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  template <typename T>
  T get() {
    T value;
    LYNCEUS_CHECK(at_ + sizeof(T) <= bytes_.size(), "{} bytes of decisions", bytes_.size());
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  template <typename T>
  std::vector<T> get_all() {
    std::vector<T> values(static_cast<size_t>(get<int64_t>()));
    for (T& value : values) value = get<T>();
    return values;
  }

 private:
  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace

std::string to_bytes(const Decisions& decisions) {
  Writer writer;
  writer.add_all(std::vector<char>(decisions.failure.begin(), decisions.failure.end()));
  writer.add(static_cast<int64_t>(decisions.prompts.size()));
  for (const Decision& decision : decisions.prompts) {
    writer.add(decision.done);
    writer.add_all(decision.next);
    writer.add(static_cast<int64_t>(decision.answers.size()));
    for (const Search::Answer& answer : decision.answers) {
      writer.add_all(answer.tokens);
      writer.add(answer.ended);
      writer.add(answer.length);
      writer.add(answer.sum);
      writer.add(answer.score);
    }
  }
  return writer.take();
}

Decisions decisions_from(const std::string& bytes) {
  Reader reader(bytes);
  Decisions decisions;
  const auto failure = reader.get_all<char>();
  decisions.failure.assign(failure.begin(), failure.end());
  decisions.prompts.resize(static_cast<size_t>(reader.get<int64_t>()));
  for (Decision& decision : decisions.prompts) {
    decision.done = reader.get<bool>();
    decision.next = reader.get_all<Search::Next>();
    decision.answers.resize(static_cast<size_t>(reader.get<int64_t>()));
    for (Search::Answer& answer : decision.answers) {
      answer.tokens = reader.get_all<int32_t>();
      answer.ended = reader.get<bool>();
      answer.length = reader.get<int64_t>();
      answer.sum = reader.get<double>();
      answer.score = reader.get<double>();
    }
  }
  return decisions;
}

}  // namespace lynceus::generate
