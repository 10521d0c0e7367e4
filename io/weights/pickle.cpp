// A stack machine: values, marks on the stack, a memo. Opcodes as in Python's pickletools.
#include "io/weights/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "core/error.h"

namespace lynceus::io {

namespace {

constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr uint32_t kUnset = UINT32_MAX;

std::string shown(std::string_view name) {
  std::string text(name.substr(0, 200));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

}  // namespace

class PickleMachine {
 public:
  PickleMachine(Pickle* pickle, std::string origin,
                const std::function<bool(const std::string&)>& allowed, const PickleLimits& limits)
      : pickle_(*pickle), origin_(std::move(origin)), allowed_(allowed), limits_(limits) {}

  void run() {
    if (bytes().size() > limits_.max_bytes)
      fail("{} bytes, at most {} are accepted", bytes().size(), limits_.max_bytes);
    if (byte() != 0x80) fail("not a pickle of protocol 2 to 5");
    if (const uint8_t protocol = byte(); protocol < 2 || protocol > 5)
      fail("protocol {}, expected 2 to 5", protocol);
    while (!done_) {
      opcode_at_ = position_;
      const uint8_t opcode = byte();
      if (!push_constant(opcode) && !build(opcode) && !remember(opcode))
        fail("opcode 0x{:02x} does not occur in state dicts", opcode);
    }
    if (position_ != bytes().size()) fail("{} bytes after its end", bytes().size() - position_);
  }

 private:
  const std::string& bytes() const { return pickle_.bytes_; }

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw InputError("{}: byte {}: {}", origin_, opcode_at_,
                     fmt::format(format, std::forward<Args>(args)...));
  }

  // Operands.

  std::string_view take(uint64_t count) {
    if (count > bytes().size() - position_)
      fail("truncated: expected {} more bytes, found {}", count, bytes().size() - position_);
    const std::string_view text = std::string_view(bytes()).substr(position_, count);
    position_ += count;
    return text;
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  uint8_t byte() { return number<uint8_t>(); }
  std::string_view line() {
    const size_t end = bytes().find('\n', position_);
    if (end == std::string::npos) fail("truncated: a name does not end");
    const std::string_view text = take(end - position_);
    ++position_;
    return text;
  }
  /// An integer of `count` bytes, two's complement, little-endian.
  int64_t long_integer(uint32_t count) {
    if (count > sizeof(int64_t)) fail("an integer of {} bytes, at most 8 are accepted", count);
    const std::string_view text = take(count);
    const bool negative = count > 0 && (text.back() & 0x80) != 0;
    int64_t value = negative ? -1 : 0;
    std::memcpy(&value, text.data(), count);
    return value;
  }
  double big_endian_real() { return std::bit_cast<double>(__builtin_bswap64(number<uint64_t>())); }

  // The stack.

  bool push(uint32_t index) {
    if (stack_.size() >= limits_.max_stack)
      fail("more than {} values on the stack", limits_.max_stack);
    stack_.push_back(index);
    return true;
  }
  bool push(PickleValue value) {
    if (pickle_.values_.size() >= limits_.max_values)
      fail("more than {} values", limits_.max_values);
    for (const uint32_t item : value.items) nest(&value, item);
    pickle_.values_.push_back(std::move(value));
    return push(static_cast<uint32_t>(pickle_.values_.size() - 1));
  }
  void nest(PickleValue* outer, uint32_t inner) {
    const int depth = pickle_.values_[inner].depth + 1;
    if (depth > limits_.max_depth) fail("nested deeper than {}", limits_.max_depth);
    outer->depth = std::max(outer->depth, static_cast<uint8_t>(depth));
  }
  /// Values below the last mark belong to the enclosing object.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t pop() {
    if (stack_.size() <= floor()) fail("the stack is empty");
    const uint32_t top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::vector<uint32_t> pop(size_t count) {
    if (stack_.size() - floor() < count) fail("the stack has fewer than {} values", count);
    std::vector<uint32_t> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) fail("there is no mark");
    std::vector<uint32_t> items = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  bool mark() {
    if (marks_.size() >= limits_.max_stack) fail("more than {} marks", limits_.max_stack);
    marks_.push_back(stack_.size());
    return true;
  }
  PickleValue& top(PickleKind kind) {
    if (stack_.size() <= floor()) fail("the stack is empty");
    PickleValue& value = pickle_.values_[stack_.back()];
    if (value.kind != kind) fail("expected {}, found {}", name_of(kind), name_of(value.kind));
    return value;
  }

  // Opcodes.

  bool push_integer(int64_t value, PickleKind kind = PickleKind::kInteger) {
    PickleValue integer;
    integer.kind = kind;
    integer.integer = value;
    return push(std::move(integer));
  }
  bool push_text(uint64_t count, PickleKind kind = PickleKind::kText) {
    PickleValue text;
    text.kind = kind;
    text.text = take(count);
    return push(std::move(text));
  }
  bool push_items(PickleKind kind, std::vector<uint32_t> items = {}) {
    PickleValue container;
    container.kind = kind;
    container.items = std::move(items);
    return push(std::move(container));
  }

  bool push_constant(uint8_t opcode) {
    switch (opcode) {
      case 'N':
        return push(PickleValue{});
      case 0x88:
      case 0x89:
        return push_integer(opcode == 0x88, PickleKind::kBoolean);
      case 'J':
        return push_integer(number<int32_t>());
      case 'K':
        return push_integer(byte());
      case 'M':
        return push_integer(number<uint16_t>());
      case 0x8a:
        return push_integer(long_integer(byte()));
      case 0x8b:
        return push_integer(long_integer(number<uint32_t>()));
      case 'G': {
        PickleValue real;
        real.kind = PickleKind::kReal;
        real.real = big_endian_real();
        return push(std::move(real));
      }
      case 'X':
        return push_text(number<uint32_t>());
      case 0x8c:
        return push_text(byte());
      case 0x8d:
        return push_text(number<uint64_t>());
      case 'B':
        return push_text(number<uint32_t>(), PickleKind::kBytes);
      case 'C':
        return push_text(byte(), PickleKind::kBytes);
      case 0x8e:
        return push_text(number<uint64_t>(), PickleKind::kBytes);
      case 'c': {
        const std::string module(line());
        return push_global(module + "." + std::string(line()));
      }
      default:
        return false;
    }
  }

  bool build(uint8_t opcode) {
    switch (opcode) {
      case '(':
        return mark();
      case ')':
        return push_items(PickleKind::kTuple);
      case ']':
        return push_items(PickleKind::kList);
      case '}':
        return push_items(PickleKind::kDict);
      case 't':
        return push_items(PickleKind::kTuple, pop_to_mark());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_items(PickleKind::kTuple, pop(opcode - 0x84u));
      case 'a':
        return add(PickleKind::kList, pop(1));
      case 'e':
        return add(PickleKind::kList, pop_to_mark());
      case 's':
        return add(PickleKind::kDict, pop(2));
      case 'u':
        return add(PickleKind::kDict, pop_to_mark());
      case 'b':  // the attributes of a dict, such as _metadata of a state dict, are not
                 // weights
        pop();
        top(PickleKind::kDict);
        return true;
      case 0x93: {
        const std::vector<uint32_t> names = pop(2);
        for (const uint32_t name : names)
          if (pickle_.values_[name].kind != PickleKind::kText) fail("a global without a name");
        return push_global(std::string(pickle_.values_[names[0]].text) + "." +
                           std::string(pickle_.values_[names[1]].text));
      }
      case 'R':
      case 0x81:
        return call(pop(2));
      case 'Q':
        return push_items(PickleKind::kPersistent, pop(1));
      default:
        return false;
    }
  }

  bool remember(uint8_t opcode) {
    switch (opcode) {
      case 'q':
        return put(byte());
      case 'r':
        return put(number<uint32_t>());
      case 0x94:
        return put(static_cast<uint32_t>(memo_.size()));
      case 'h':
        return get(byte());
      case 'j':
        return get(number<uint32_t>());
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case 0x95:  // a frame: the number of bytes that follow, all in memory
        if (number<uint64_t>() > bytes().size() - position_)
          fail("truncated: a frame is incomplete");
        return true;
      case '.':
        pickle_.root_ = pop();
        if (!stack_.empty() || !marks_.empty()) fail("values are left on the stack at its end");
        return done_ = true;
      default:
        return false;
    }
  }

  bool push_global(std::string name) {
    if (!allowed_(name))
      fail(
          "it contains '{}', which is not part of a state dict; nothing in a file is executed, so "
          "such objects cannot be read: save only the state dict",
          shown(name));
    PickleValue global;
    global.kind = PickleKind::kGlobal;
    global.global = std::move(name);
    return push(std::move(global));
  }

  bool call(const std::vector<uint32_t>& parts) {
    const PickleValue& global = pickle_.values_[parts[0]];
    const PickleValue& arguments = pickle_.values_[parts[1]];
    if (global.kind != PickleKind::kGlobal || arguments.kind != PickleKind::kTuple)
      fail("expected a global with a tuple, found {} with {}", name_of(global.kind),
           name_of(arguments.kind));
    if (global.global != kOrderedDict) return push_items(PickleKind::kCall, parts);
    if (!arguments.items.empty())
      fail("an OrderedDict with {} arguments, expected none", arguments.items.size());
    return push_items(PickleKind::kDict);
  }

  bool add(PickleKind kind, const std::vector<uint32_t>& items) {
    if (kind == PickleKind::kDict && items.size() % 2 != 0) fail("a key without a value");
    PickleValue& container = top(kind);
    for (const uint32_t item : items) nest(&container, item);
    container.items.insert(container.items.end(), items.begin(), items.end());
    return true;
  }

  bool put(uint32_t key) {
    if (stack_.size() <= floor()) fail("the stack is empty");
    // Writers count upward from zero, so a key beyond the limit means too many entries.
    if (key >= limits_.max_memo)
      fail("memo entry {}, at most {} are accepted", key, limits_.max_memo);
    if (key >= memo_.size()) memo_.resize(key + size_t{1}, kUnset);
    memo_[key] = stack_.back();
    return true;
  }
  bool get(uint32_t key) {
    if (key >= memo_.size() || memo_[key] == kUnset) fail("there is no memo entry {}", key);
    return push(memo_[key]);
  }

  Pickle& pickle_;
  std::string origin_;
  const std::function<bool(const std::string&)>& allowed_;
  PickleLimits limits_;
  size_t position_ = 0;
  size_t opcode_at_ = 0;
  bool done_ = false;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::vector<uint32_t> memo_;
};

const char* name_of(PickleKind kind) {
  switch (kind) {
    case PickleKind::kNone:
      return "None";
    case PickleKind::kBoolean:
      return "a boolean";
    case PickleKind::kInteger:
      return "an integer";
    case PickleKind::kReal:
      return "a number";
    case PickleKind::kText:
      return "a text";
    case PickleKind::kBytes:
      return "bytes";
    case PickleKind::kTuple:
      return "a tuple";
    case PickleKind::kList:
      return "a list";
    case PickleKind::kDict:
      return "a dict";
    case PickleKind::kGlobal:
      return "a global";
    case PickleKind::kCall:
      return "an object";
    case PickleKind::kPersistent:
      return "a storage";
  }
  return "?";
}

Pickle::Pickle(std::string bytes, std::string origin,
               const std::function<bool(const std::string&)>& allowed, const PickleLimits& limits)
    : bytes_(std::move(bytes)) {
  PickleMachine(this, std::move(origin), allowed, limits).run();
}

}  // namespace lynceus::io
