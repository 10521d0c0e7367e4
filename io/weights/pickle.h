// Reads Python pickles as data: the few opcodes that torch.save writes for state dicts (protocols 2
// to 5). It builds a description and never executes anything. Where Python would look up a name and
// call it, the description has the name and the arguments. Names that the caller does not allow are
// an error. The only exception is collections.OrderedDict, which becomes a dict.
//
// PickleLimits bounds the bytes of the pickle, values, depth of nesting, entries of the memo and
// height of the stack. Values are stored in one table and refer to each other by index. A pickle
// that contains itself becomes a cycle of indices; this reader does not follow it.
//
// Errors: InputError naming file and byte.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lynceus::io {

enum class PickleKind : uint8_t {
  kNone,
  kBoolean,
  kInteger,
  kReal,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,        ///< dict and OrderedDict; items are key, value, key, value, ..
  kGlobal,      ///< "module.name"
  kCall,        ///< items: the global, the tuple of arguments
  kPersistent,  ///< items: the reference to an object outside the pickle
};
const char* name_of(PickleKind kind);  ///< "an integer"

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  uint8_t depth = 1;    ///< of nesting inside it
  int64_t integer = 0;  ///< also of a boolean
  double real = 0;
  std::string_view text;             ///< of texts and bytes, inside Pickle's bytes
  std::string global;                ///< "collections.OrderedDict"
  std::vector<uint32_t> items = {};  ///< indices of values
};

struct PickleLimits {
  uint64_t max_bytes = 64ull << 20;
  size_t max_values = 1'000'000;
  size_t max_memo = 1'000'000;
  size_t max_stack = 1'000'000;
  int max_depth = 64;
};

/// The contents of a pickle. Not copyable: texts point into its bytes.
class Pickle {
 public:
  /// `origin` names the pickle in messages; `allowed` decides which globals are accepted.
  Pickle(std::string bytes, std::string origin,
         const std::function<bool(const std::string& global)>& allowed,
         const PickleLimits& limits = {});
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& at(uint32_t index) const { return values_[index]; }
  const PickleValue& item(const PickleValue& of, size_t position) const {
    return values_[of.items.at(position)];
  }

 private:
  friend class PickleMachine;

  std::string bytes_;
  std::vector<PickleValue> values_;
  uint32_t root_ = 0;
};

}  // namespace lynceus::io
