// Per-item results: one JSON object a line, for `lynceus compare` and for reading.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/files/json_value.h"

namespace lynceus::evaluate {

struct Item {
  std::string benchmark;
  std::string set;        ///< part of the benchmark with a score of its own, e.g. images, videos
  std::string class_;     ///< class of the question; empty: there is none
  std::string task;       ///< task of the question; empty: there is none
  std::string id;         ///< unique in its benchmark
  std::string media;      ///< the image or video; items of one media item are not independent
  std::string question;   ///< empty: there is none
  std::string reference;  ///< several ones are joined by " | "
  std::string answer;
  std::optional<bool> right;    ///< absent: not judged, or the benchmark gives no yes or no
  std::optional<double> value;  ///< absent: none
  std::string judge;            ///< the parse rule, the judge or the metric
  std::vector<std::pair<std::string, io::JsonValue>> more = {};  ///< members after these
};

/// "a | b".
std::string joined_references(std::span<const std::string> references);

/// {"benchmark": "mme", "set": ...}: the members above in this order, `class_` as class.
std::string to_json(const Item& item);

/// Writes the file at once: it is either complete or as before. IoError.
void write_items(const std::filesystem::path& file, std::span<const Item> items);

}  // namespace lynceus::evaluate
