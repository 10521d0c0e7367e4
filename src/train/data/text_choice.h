// The tokenizer and the prompt template of a run: given, or what model.weights has. A run that
// continues keeps those of its checkpoint.
#pragma once

#include <string>

#include "core/config/config.h"
#include "io/checkpoint/manifest.h"
#include "io/text/prompt_files.h"
#include "train/config.h"

namespace lynceus::train {

/// Sets data.tokenizer if it is empty and data.prompt if it is "auto". First choice: the values in
/// `recorded`, the manifest of the checkpoint that the run continues (null: a new run). Otherwise
/// tokenizer.model in `weights` (model.weights) or, as Meta has it, in the folder above; and the
/// template vicuna if `weights`, its config.json or `delta` (model.weights_delta) has that word in
/// its name, else lynx. InputError if there is no tokenizer.
void choose_text(DataConfig* config, ConfigReader* reader, const std::string& weights,
                 const std::string& delta, const io::Manifest* recorded);

/// The template data.prompt. A run whose checkpoint (`recorded`; null: a new run) was trained with
/// the template that was named lynx up to version 0.1.0 keeps it, now lynx-cased, unless
/// `may_change`.
io::PromptStyle load_template(const DataConfig& config, const io::Manifest* recorded,
                              bool may_change);

/// The template as in manifests, "FINGERPRINT (NAME)".
std::string describe_template(const io::PromptStyle& style);
/// The same of the checkpoint; empty if it is not recorded and its file is not there.
std::string recorded_template(const io::Manifest& recorded);

/// The values of `key` in the configuration of a checkpoint.
std::vector<std::string> recorded_values(const io::Manifest& manifest, const std::string& key);

}  // namespace lynceus::train
