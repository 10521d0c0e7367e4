// A sample on disk: encoded media and the turns of a conversation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lynceus::io {

/// The author of a turn. kText is plain text for language modelling: every token of it is scored.
enum class TurnRole : uint8_t { kText = 0, kUser = 1, kAssistant = 2, kSystem = 3 };
constexpr int kTurnRoles = 4;

struct Turn {
  TurnRole role = TurnRole::kText;
  std::string text;

  bool operator==(const Turn&) const = default;
};

/// How the encoded pictures of a sample are used: as the frames of one video, which share one set
/// of visual tokens, or as separate images with a set of visual tokens each.
enum class MediaKind : uint8_t { kFrames = 0, kSeparateImages = 1 };
constexpr int kMediaKinds = 2;

struct Sample {
  std::string key;  ///< names the sample in messages and reports
  MediaKind kind = MediaKind::kFrames;
  std::vector<std::string>
      media;  ///< encoded bytes, as decode_image() reads them; empty: text only
  std::vector<Turn> turns;
};

/// Stored once per dataset shard.
struct ShardInfo {
  std::string task;        ///< e.g. "caption", "question"
  std::string source;      ///< where the samples come from
  std::string created_by;  ///< program and version
};

}  // namespace lynceus::io
