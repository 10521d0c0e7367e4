// Reads large JSON through the event interface of the parser: only the current element is built.
#include "prepare/json_stream.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "core/foreign_file.h"
#include "io/files/json_internal.h"

namespace lynceus::prepare {
namespace {

using io::internal::BoundedBuilder;
using io::internal::Value;

constexpr uint64_t kMaxElementBytes = io::Lines::kMaxBytes;
constexpr int kMaxDepth = 64;

/// The bytes of a file. Throws when too many are read after the last mark: the parser collects a
/// string completely before it reports it, so the limit must be checked while it reads.
class ByteReader {
 public:
  explicit ByteReader(const std::filesystem::path& path)
      : file_(io::File::open(path)), size_(file_.size()) {
    if (size_ > 0) refuse_foreign(file_.head(kForeignHeadBytes), path.string(), "JSON");
    fill();
  }

  bool at_end() const { return begin_ == buffer_.size(); }
  char get() const { return buffer_[begin_]; }
  void advance() {
    if (position() >= mark_ + kMaxElementBytes) {
      throw InputError("{}: more than {} bytes of one JSON value at byte {}", file_.path().string(),
                       kMaxElementBytes, mark_);
    }
    if (++begin_ == buffer_.size()) fill();
  }
  uint64_t position() const { return offset_ - buffer_.size() + begin_; }
  void mark() { mark_ = position(); }

 private:
  void fill() {
    constexpr uint64_t kChunkBytes = 1 << 20;
    buffer_.resize(std::min(kChunkBytes, size_ - offset_));
    file_.read_at(offset_, buffer_.data(), buffer_.size());
    offset_ += buffer_.size();
    begin_ = 0;
  }

  io::File file_;
  uint64_t size_;
  uint64_t offset_ = 0;  // of the bytes that are not yet in buffer_
  std::string buffer_;
  size_t begin_ = 0;
  uint64_t mark_ = 0;
};

/// An input iterator over a reader, for the parser; without a reader, the end.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  explicit ByteIterator(ByteReader* reader) : reader_(reader) {}
  char operator*() const { return reader_->get(); }
  ByteIterator& operator++() {
    reader_->advance();
    return *this;
  }
  ByteIterator operator++(int) {
    reader_->advance();
    return *this;
  }
  bool operator==(const ByteIterator& other) const { return ended() == other.ended(); }

 private:
  bool ended() const { return reader_ == nullptr || reader_->at_end(); }
  ByteReader* reader_;
};

/// Receives the events of the parser and builds only the wanted elements.
class ElementHandler {
 public:
  ElementHandler(std::string path, const std::vector<std::string>& arrays, ByteReader& reader,
                 const JsonElementSink& sink)
      : path_(std::move(path)), arrays_(arrays), reader_(reader), sink_(sink) {}

  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(int64_t value) { return scalar(value); }
  bool number_unsigned(uint64_t value) { return scalar(value); }
  bool number_float(double value, const std::string&) { return scalar(value); }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(Value::binary_t&) { return false; }  // never in JSON text
  bool start_object(size_t) { return open(false); }
  bool start_array(size_t) { return open(true); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    event();
    if (element_depth_ > 0) return builder_->key(name);
    if (skip_depth_ == 0) key_ = name;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    throw InputError("{}: not valid JSON at byte {}: {}", path_, position,
                     io::internal::reason_of(error));
  }

 private:
  bool wanted(const std::string& name) const {
    return std::find(arrays_.begin(), arrays_.end(), name) != arrays_.end();
  }

  void event() {
    reader_.mark();
    if (element_depth_ > 0 && reader_.position() > element_begin_ + kMaxElementBytes) {
      throw InputError("{}: more than {} bytes", builder_origin_, kMaxElementBytes);
    }
  }

  void begin_element() {
    builder_origin_ = fmt::format("{}: {}[{}]", path_, array_, index_++);
    limits_.max_depth = kMaxDepth - 2;
    limits_.refuse_duplicate_keys = false;
    builder_.emplace(builder_origin_, limits_);
    element_begin_ = reader_.position();
  }

  void end_element() {
    sink_(array_, io::internal::JsonMaker::make(builder_origin_, builder_->take()));
    builder_.reset();
  }

  template <typename Scalar>
  bool scalar(Scalar value) {
    event();
    if (skip_depth_ > 0) return true;
    if (element_depth_ > 0) return builder_->add_scalar(std::move(value));
    if (in_array_) {
      begin_element();
      builder_->add_scalar(std::move(value));
      end_element();
      return true;
    }
    if (!opened_) expected_shape();
    if (wanted(key_)) throw InputError("{}: key {}: expected an array", path_, key_);
    return true;
  }

  bool open(bool is_array) {
    event();
    if (skip_depth_ > 0) {
      if (++skip_depth_ > kMaxDepth)
        throw InputError("{}: JSON nested deeper than {}", path_, kMaxDepth);
      return true;
    }
    if (element_depth_ > 0 || in_array_) {
      if (element_depth_++ == 0) begin_element();
      return is_array ? builder_->start_array(0) : builder_->start_object(0);
    }
    if (!opened_) {
      if (is_array != wanted("")) expected_shape();
      opened_ = true;
      in_array_ = is_array;
      return true;
    }
    if (!wanted(key_)) {
      skip_depth_ = 1;
      return true;
    }
    if (!is_array) throw InputError("{}: key {}: expected an array", path_, key_);
    if (!seen_.insert(key_).second)
      throw InputError("{}: duplicate key '{}' in one object", path_, key_);
    in_array_ = true;
    array_ = key_;
    index_ = 0;
    return true;
  }

  bool close() {
    event();
    if (skip_depth_ > 0) {
      --skip_depth_;
    } else if (element_depth_ > 0) {
      builder_->end_array();
      if (--element_depth_ == 0) end_element();
    } else {
      in_array_ = false;
    }
    return true;
  }

  [[noreturn]] void expected_shape() const {
    throw InputError("{}: expected JSON that is {}", path_,
                     wanted("") ? "an array" : "an object with the arrays " + names());
  }
  std::string names() const {
    std::string all;
    for (const std::string& name : arrays_) all += (all.empty() ? "" : ", ") + name;
    return all;
  }

  const std::string path_;
  const std::vector<std::string>& arrays_;
  ByteReader& reader_;
  const JsonElementSink& sink_;
  bool opened_ = false;    // the top-level container began
  bool in_array_ = false;  // inside a wanted array
  int skip_depth_ = 0;     // open containers of a skipped member
  int element_depth_ = 0;  // open containers of the current element
  std::string key_;        // current key of the top-level object
  std::string array_;      // key of the current array
  std::set<std::string> seen_;
  int64_t index_ = 0;
  uint64_t element_begin_ = 0;
  io::JsonLimits limits_;
  std::string builder_origin_;  // the builder refers to it
  std::optional<BoundedBuilder> builder_;
};

}  // namespace

void read_json_elements(const std::filesystem::path& path, const std::vector<std::string>& arrays,
                        const JsonElementSink& sink) {
  ByteReader reader(path);
  ElementHandler handler(path.string(), arrays, reader, sink);
  if (!Value::sax_parse(ByteIterator(&reader), ByteIterator(nullptr), &handler))
    throw InputError("{}: not valid JSON", path.string());
}

JsonRows::JsonRows(std::filesystem::path path) : path_(std::move(path)) {
  const io::File file = io::File::open(path_);
  std::string head(static_cast<size_t>(std::min<uint64_t>(file.size(), 4096)), '\0');
  file.read_at(0, head.data(), head.size());
  const auto first =
      std::find_if(head.begin(), head.end(), [](unsigned char c) { return std::isspace(c) == 0; });
  is_array_ = first != head.end() && *first == '[';
  for_each([&](const std::function<io::Json()>&) { ++count_; });
}

void JsonRows::for_each(
    const std::function<void(const std::function<io::Json()>& value)>& sink) const {
  if (is_array_) {
    read_json_elements(path_, {""}, [&](const std::string&, const io::Json& element) {
      sink([&] { return element; });
    });
    return;
  }
  io::JsonLines lines(path_);
  while (true) {
    std::optional<io::Json> row;
    std::optional<InputError> fault;  // an error of the sink must not count as a bad line
    try {
      row = lines.next();
      if (!row) return;
    } catch (const InputError& error) {
      fault = error;
    }
    sink([&] { return fault ? throw InputError(*fault) : *row; });
  }
}

void JsonRows::read_from(
    int64_t skip, const RowSink& sink,
    const std::function<std::vector<io::Sample>(const io::Json& row, int64_t index)>& make) const {
  int64_t index = 0;
  for_each([&](const std::function<io::Json()>& value) {
    if (index++ < skip) return;
    SourceRow row = make_row([&] { return make(value(), index - 1); });
    row.done = index;
    sink(std::move(row));
  });
}

}  // namespace lynceus::prepare
