// Values as words of a shell script and as values of #SBATCH lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lynceus::slurm {

/// The text as one word of bash: unchanged if no character of it means anything to a shell, else in
/// single quotes.
std::string shell_word(std::string_view text);

/// The words of a bash array: (one 'the other').
std::string shell_array(const std::vector<std::string>& texts);

/// Whether the text can stand in a script: it has no control characters.
bool fits_script(std::string_view text);

/// Whether the text can stand in a #SBATCH line without quotes, whose rules differ from those of a
/// shell: letters, digits and _ - . , : = / % + @ & | ( ) [ ] *.
bool fits_directive(std::string_view text);

/// The parts of a list with commas; empty parts are kept.
std::vector<std::string> split_at_commas(std::string_view text);

}  // namespace lynceus::slurm
