// The config reader: INI files in the order given, then the command line; a later value overrides
// an earlier one.
//
// A config struct is defined where it is used and visits its own fields once; parser, help page,
// printed config and manifest all come from that visit:
//
//   struct TrainConfig {
//     int64_t steps = 1000;
//     std::string recompute = "none";
//     template <typename Visitor>
//     void visit(Visitor& v) {
//       v.section("train", "the training loop");
//       v.field("train.steps", steps, "length of the schedule, optimizer steps");
//       v.choice("train.recompute", recompute, {"none", "layer"}, "what backward recomputes");
//     }
//   };
//
//   TrainConfig train;
//   ConfigReader reader;
//   reader.add(train);
//   const CommandLine line = reader.read(arguments);  // UsageError lists every fault at once
//   if (line.help) fmt::print("{}", reader.help());
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/faults.h"
#include "core/config/visitor.h"

namespace lynceus {

/// The part of a command line that is not values of fields.
struct CommandLine {
  std::vector<std::string> config_files;  ///< --config FILE, in order
  std::vector<std::string> positionals;
  bool help = false;          ///< --help or -h: no value was read, print help()
  bool print_config = false;  ///< --print-config: print() and exit
};

/// One value as stored in manifests. A list gives one entry per element, or one empty entry.
struct ConfigValue {
  std::string key;
  std::string value;
  std::string origin;  ///< "default", "configs/x.ini:12", "command line"

  bool operator==(const ConfigValue&) const = default;
};

/// Fills registered structs, which must outlive the reader. Faults (unknown key with the nearest
/// known one, value of the wrong type, unreadable file, missing argument) are collected and thrown
/// together.
class ConfigReader {
 public:
  template <typename Struct>
  void add(Struct& config) {
    config.visit(visitor_);
  }

  /// `arguments` follow the program's and the subcommand's name. Reads the --config files, then the
  /// options, then calls check(). Forms: --key value, --key=value, with the value taken
  /// literally; a bool needs no value; a list takes all arguments up to the next option; arguments
  /// after "--" are positional.
  CommandLine read(const std::vector<std::string>& arguments) { return read(arguments, {}); }
  /// The same with `ranges`, which adds the values out of range: they are reported together with
  /// what could not be read, except those that may only follow from it.
  CommandLine read(const std::vector<std::string>& arguments,
                   const std::function<void(ConfigFaults*)>& ranges);

  /// Adds one INI file as a layer. check() reports its faults.
  void read_file(const std::string& path);
  /// Sets one field as a layer of its own, for values that follow from files or from the number of
  /// ranks. check() reports a fault.
  void set(const std::string& key, const std::string& value, const std::string& origin);
  /// UsageError if one of `keys`, the values of the option `key`, is not registered.
  void check_keys(const std::string& key, const std::vector<std::string>& keys);
  /// Throws one UsageError that lists every fault so far.
  void check() { faults_.raise(); }

  /// Every key = value with its origin as a comment, keys without section first: an INI file that
  /// read_file() reads back to the same values, except the keys of `without`. The values are the
  /// current ones of the structs.
  std::string print(const std::vector<std::string>& without = {}) const;
  /// The same as data, in the order of registration.
  std::vector<ConfigValue> values() const;
  /// The options in their groups with defaults, one line each; "empty" is an empty text or list.
  std::string help() const;
  /// The origin of the value of `key`.
  const std::string& origin(const std::string& key) const;

 private:
  using Field = ConfigVisitor::Field;
  struct Option {
    std::string key;
    std::vector<std::string> values;
    bool missing = false;
  };

  CommandLine split(const std::vector<std::string>& arguments, std::vector<Option>& options);
  /// `place`: FILE:LINE. `quoted`: the value, which then is not in `text`.
  void read_line(const std::string& place, const std::string& header, const std::string& text,
                 const std::optional<std::string>& quoted,
                 std::map<std::string, std::string>& seen);
  void apply(const std::string& key, const std::string& value, const std::string& origin);
  void check_ranges(const std::function<void(ConfigFaults*)>& ranges);
  Field* find(std::string_view key);
  void fault(const std::string& message) { faults_.add(message); }
  std::string nearest(std::string_view key) const;
  void fault_unknown(const std::string& origin, const std::string& key);

  ConfigVisitor visitor_;
  ConfigFaults faults_;
  std::set<std::string> unread_keys_;  // that were given, but without a value of their type
  bool lines_unread_ = false;          // unreadable files and lines: any key may be in them
  int layer_ = 0;
};

}  // namespace lynceus
