#include "evaluate/compare/sentence.h"

#include <fmt/format.h>

#include <cmath>

#include "core/text/units.h"

namespace lynceus::evaluate {
namespace {

std::string judges_of(const std::map<std::string, std::vector<const Item*>>& judges) {
  std::string names;
  for (const auto& [name, items] : judges)
    names += fmt::format("{}'{}'", names.empty() ? "" : " and ", name);
  return names;
}

/// "(95 % interval +1.2 to +9.4, exact McNemar p = 0.012, 302 pairs)".
std::string evidence_of(const Comparison& comparison) {
  const ComparedGroup& whole = comparison.groups.front();
  const bool is_share = whole.counts.has_value();
  std::string text;
  if (const auto& interval = whole.score.interval)
    text += fmt::format("{:.4g} % interval {} to {}, ", 100 * comparison.confidence,
                        signed_figure(interval->low, is_share),
                        signed_figure(interval->high, is_share));
  if (comparison.corrected_p)
    text += fmt::format("exact McNemar p = {}{}, ", p_text(*comparison.corrected_p),
                        *comparison.corrected_p == *whole.p ? "" : " after Holm's correction");
  return fmt::format("({}{} of {})", text, counted(whole.pairs, "pair"),
                     counted(whole.media, "media item"));
}

std::string size_of(const ComparedGroup& whole) {
  const double size = std::abs(whole.score.difference());
  return whole.counts ? fmt::format("{:.1f} points", 100 * size) : fmt::format("{:.4g}", size);
}

}  // namespace

std::string set_name(const std::string& benchmark, const std::string& set) {
  return set.empty() || set == benchmark ? benchmark : benchmark + " " + set;
}

std::string signed_figure(double difference, bool is_share) {
  std::string text =
      is_share ? fmt::format("{:+.1f}", 100 * difference) : fmt::format("{:+.4f}", difference);
  // No negative zero.
  if (text.find_first_not_of("-0.") == std::string::npos) text[0] = '+';
  return text;
}

std::string p_text(double p) {
  return p < 0.001 ? fmt::format("{:.1e}", p) : fmt::format("{:.3f}", p);
}

std::string sentence_of(const Comparison& comparison) {
  const ComparedGroup& whole = comparison.groups.front();
  const std::string first = file_letter(comparison.first);
  const std::string second = file_letter(comparison.second);
  const std::string name = set_name(comparison.benchmark, comparison.set);
  const double difference = whole.score.difference();
  const std::string evidence = evidence_of(comparison);
  if (difference == 0)
    return fmt::format("{}: no difference is shown: {} and {} {} {}.", name, first, second,
                       whole.counts ? "are right equally often" : "have equal scores", evidence);
  if (comparison.is_shown)
    return fmt::format("{}: a difference is shown: {} {} than {} by {} {}.", name,
                       difference > 0 ? second : first,
                       whole.counts ? "is right more often" : "scores higher",
                       difference > 0 ? first : second, size_of(whole), evidence);
  const std::string needed =
      whole.needed ? fmt::format("; about {} would show a difference of this size with 80 % power",
                                 counted(*whole.needed, "pair"))
                   : "";
  return fmt::format("{}: no difference is shown: {} minus {} is {}{} {}{}.", name, second, first,
                     signed_figure(difference, whole.counts.has_value()),
                     whole.counts ? " points" : "", evidence, needed);
}

std::string without_pairs(const Comparison& comparison) {
  return fmt::format("{}: not compared: no item is scored in both {} and {}.",
                     set_name(comparison.benchmark, comparison.set), file_letter(comparison.first),
                     file_letter(comparison.second));
}

std::string without_partner(const Comparison& comparison) {
  const bool is_first = comparison.unpaired.only_first > 0;
  const size_t has = is_first ? comparison.first : comparison.second;
  const size_t lacks = is_first ? comparison.second : comparison.first;
  return fmt::format(
      "{}: not compared: {} has {} of it, {} has none.",
      set_name(comparison.benchmark, comparison.set), file_letter(has),
      counted(comparison.unpaired.only_first + comparison.unpaired.only_second, "item"),
      file_letter(lacks));
}

std::string without_common_judge(const Comparison& comparison,
                                 const std::map<std::string, std::vector<const Item*>>& first,
                                 const std::map<std::string, std::vector<const Item*>>& second) {
  return fmt::format(
      "{}: not compared: {} was scored by {}, {} by {}: a difference could be that of the judges.",
      set_name(comparison.benchmark, comparison.set), file_letter(comparison.first),
      judges_of(first), file_letter(comparison.second), judges_of(second));
}

}  // namespace lynceus::evaluate
