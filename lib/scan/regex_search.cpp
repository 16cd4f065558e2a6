#include <ranged/scan/expression_size.hpp>
#include <ranged/scan/regex_search.hpp>

#include <hs/hs.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>
#include <vector>

namespace ranged {
namespace {

struct DatabaseDeleter {
  void operator()(hs_database_t* database) const noexcept { hs_free_database(database); }
};
struct ScratchDeleter {
  void operator()(hs_scratch_t* scratch) const noexcept { hs_free_scratch(scratch); }
};
struct CompileErrorDeleter {
  void operator()(hs_compile_error_t* error) const noexcept { hs_free_compile_error(error); }
};

/// Zeros after which an automaton has forgotten all that matters: no match that is found is longer.
constexpr std::uint64_t settling = RegexSearch::max_match + 1;

/// The size from which on a compiler's memory is worth giving back: it is some megabytes in an arena of the
/// allocator's, and stays there otherwise.
constexpr std::uint64_t large_expression = 256;

constexpr unsigned search_flags = HS_FLAG_MULTILINE | HS_FLAG_SOM_LEFTMOST;

boost::system::result<std::unique_ptr<hs_database_t, DatabaseDeleter>, RegexError> compile(std::string_view expression,
                                                                                           unsigned flags) {
  // Held while one compiles, so that the compiler's memory is needed once (law 1).
  static std::mutex one_at_a_time;
  const std::string text(expression);
  const std::uint64_t size = expression_size(expression);
  if (size > RegexSearch::max_size) {
    return RegexError{"it is too large, with its repetitions written out and each ?, * and + counted as five more: " +
                      std::to_string(size) + ", and " + std::to_string(RegexSearch::max_size) +
                      " is the most; repeat less"};
  }
  const std::scoped_lock lock(one_at_a_time);
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t outcome =
      hs_compile(text.c_str(), flags, HS_MODE_STREAM | HS_MODE_SOM_HORIZON_SMALL, nullptr, &database, &error);
  std::unique_ptr<hs_database_t, DatabaseDeleter> compiled(database);
  const std::unique_ptr<hs_compile_error_t, CompileErrorDeleter> owned(error);
  if (size >= large_expression) ::malloc_trim(0);
  if (outcome == HS_SUCCESS) return compiled;
  return RegexError{error != nullptr ? error->message : "it cannot be compiled"};
}

/// Keeps what it is told of: the start and the end of one match, or too many.
struct OneMatch {
  std::uint64_t begin = 0, end = 0;
  int count = 0;
  static int on_match(unsigned, unsigned long long from, unsigned long long to, unsigned, void* context) {
    auto* const match = static_cast<OneMatch*>(context);
    *match = {from, to, match->count + 1};
    return 0;
  }
};

/// Looks for a match behind a hundred bytes that begin none, which is what the unsound library misses.
bool finds_what_is_there() {
  const std::string text = std::string(100, 'z') + "aab";
  const auto database = compile("a+b", search_flags);
  if (!database) return false;
  hs_scratch_t* scratch = nullptr;
  if (hs_alloc_scratch(database->get(), &scratch) != HS_SUCCESS) return false;
  const std::unique_ptr<hs_scratch_t, ScratchDeleter> owned(scratch);
  hs_stream_t* stream = nullptr;
  if (hs_open_stream(database->get(), 0, &stream) != HS_SUCCESS) return false;
  OneMatch match;
  hs_scan_stream(stream, text.data(), static_cast<unsigned>(text.size()), 0, scratch, &OneMatch::on_match, &match);
  hs_close_stream(stream, scratch, &OneMatch::on_match, &match);
  return match.count == 1 && match.begin == 100 && match.end == 103;
}

}  // namespace

struct RegexSearch::State {
  std::unique_ptr<hs_database_t, DatabaseDeleter> database;
  std::unique_ptr<hs_scratch_t, ScratchDeleter> scratch;
  hs_stream_t* stream = nullptr;
  std::uint64_t base = 0;  ///< offset at which the stream began
  std::uint64_t next = 0;  ///< offset of the next byte
  bool mid_file = false;   ///< the stream began within zeros: what matches at its very start might only do so there
  bool in_zeros = false;   ///< zeros alone are being taken: count matches that lie in them
  std::uint64_t zeros_begin = 0;
  bool matched_zeros = false;
  Match pending{0, 0};  ///< a match that may still grow; none when its length is 0
  /// Matches of one piece that are final. (The automaton cannot stop in the middle of a piece and go on later.)
  std::vector<Match> found;
  std::size_t found_read = 0;
  std::uint64_t found_uncounted = 0;
  bool keeping = true;
  std::uint64_t last_end = 0;  ///< where the last final match ended
  std::uint64_t left_out = 0;

  State() { found.reserve(piece + 2); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (stream != nullptr) hs_close_stream(stream, nullptr, nullptr, nullptr);
  }

  bool open_stream() noexcept { return hs_open_stream(database.get(), 0, &stream) == HS_SUCCESS; }

  void emit_pending() {
    if (pending.length == 0) return;
    if (keeping) {
      found.push_back(pending);
    } else {
      ++found_uncounted;
    }
    last_end = pending.offset + pending.length;
    pending.length = 0;
  }

  /// A match may grow no more once this much came after its start.
  void settle(std::uint64_t at) {
    if (pending.length != 0 && at - pending.offset > max_match) emit_pending();
  }

  static int on_match(unsigned, unsigned long long from, unsigned long long to, unsigned, void* context) {
    static_cast<State*>(context)->match(from, to);
    return 0;
  }

  void match(unsigned long long from, unsigned long long to) {
    if (to == from) return;
    if (from == HS_OFFSET_PAST_HORIZON || to - from > max_match) {
      ++left_out;
      return;
    }
    if (mid_file && from == 0) return;
    const std::uint64_t begin = base + from;
    const std::uint64_t end = base + to;
    if (in_zeros && begin >= zeros_begin) matched_zeros = true;
    settle(end);
    if (begin < last_end) return;
    if (pending.length != 0 && begin > pending.offset) {
      if (begin < pending.offset + pending.length) return;
      emit_pending();
    }
    pending = {begin, end - begin};
  }

  /// Hands over what was found; false: there was no room for all.
  bool hand_over(MatchQueue& matches) {
    while (found_read < found.size()) {
      if (matches.full()) return false;
      matches.push(found[found_read++]);
    }
    found.clear();
    found_read = 0;
    if (found_uncounted > 0) matches.count(std::exchange(found_uncounted, 0));
    return true;
  }

  std::size_t take(std::span<const std::byte> bytes, MatchQueue& matches) {
    std::size_t taken = 0;
    while (hand_over(matches) && taken < bytes.size()) {
      keeping = matches.keeping();
      // Nobody wants to see more: no room is needed for matches, and larger pieces are quicker.
      const std::size_t now = keeping ? std::min(piece, bytes.size() - taken) : bytes.size() - taken;
      scan(bytes.subspan(taken, now));
      taken += now;
    }
    return taken;
  }

  void scan(std::span<const std::byte> bytes) {
    hs_scan_stream(stream, reinterpret_cast<const char*>(bytes.data()), static_cast<unsigned>(bytes.size()), 0,
                   scratch.get(), &State::on_match, this);
    next += bytes.size();
    settle(next);
  }
};

RegexSearch::RegexSearch(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
RegexSearch::~RegexSearch() = default;

boost::system::result<std::unique_ptr<RegexSearch>, RegexError> RegexSearch::create(std::string_view expression,
                                                                                    bool fold_case) {
  if (expression.empty() || expression.size() > max_expression) {
    return RegexError{"it has 1 to " + std::to_string(max_expression) + " bytes"};
  }
  if (!is_sound()) {
    return RegexError{"the library that runs expressions (" + std::string(hs_version()) +
                      ") gives wrong results on this processor; Debian's libhyperscan5 in its place does not"};
  }
  // Expressions that may match nothing are refused by the compiler, which is as well: they would match everywhere.
  auto database = compile(expression, search_flags | (fold_case ? HS_FLAG_CASELESS : 0U));
  if (!database) return database.error();
  auto state = std::make_unique<State>();
  state->database = std::move(*database);
  std::size_t state_size = 0;
  if (hs_stream_size(state->database.get(), &state_size) != HS_SUCCESS || state_size > max_state) {
    return RegexError{"it needs too much memory"};
  }
  hs_scratch_t* scratch = nullptr;
  if (hs_alloc_scratch(state->database.get(), &scratch) != HS_SUCCESS)
    return RegexError{"this processor cannot run it"};
  state->scratch.reset(scratch);
  if (!state->open_stream()) return RegexError{"it needs too much memory"};
  return std::unique_ptr<RegexSearch>(new RegexSearch(std::move(state)));
}

bool RegexSearch::is_sound() {
  static const bool sound = finds_what_is_there();
  return sound;
}

std::uint64_t RegexSearch::left_out() const noexcept {
  return state_->left_out;
}

void RegexSearch::begin(std::uint64_t offset) noexcept {
  state_->base = offset;
  state_->next = offset;
}

std::size_t RegexSearch::take(std::span<const std::byte> bytes, MatchQueue& matches) {
  state_->in_zeros = false;
  return state_->take(bytes, matches);
}

std::uint64_t RegexSearch::take_zeros(std::uint64_t count, MatchQueue& matches) {
  static constexpr std::array<std::byte, 4096> zeros{};
  State& state = *state_;
  if (!state.in_zeros) {
    state.in_zeros = true;
    state.zeros_begin = state.next;
    state.matched_zeros = false;
  }
  std::uint64_t taken = 0;
  const auto feed = [&](std::uint64_t wanted) {
    while (taken < wanted) {
      const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(wanted - taken, zeros.size()));
      const std::size_t got = state.take(std::span(zeros).first(now), matches);
      taken += got;
      if (got < now) return false;
    }
    return true;
  };
  /// Zeros taken one by one in a call: some milliseconds.
  constexpr std::uint64_t batch = std::uint64_t{4} << 20;
  const std::uint64_t seen = state.next - state.zeros_begin;
  if (seen < settling) {
    if (!feed(std::min(count, settling - seen)) || taken == count) return taken;
  }
  if (state.matched_zeros || count - taken <= settling) {
    feed(taken + std::min(count - taken, batch));
    return taken;
  }
  // Zeros match nothing, and nothing that began before them is still under way: all but the last are the same.
  if (!state.hand_over(matches)) return taken;
  state.emit_pending();
  const std::uint64_t skipped = count - taken - settling;
  hs_reset_stream(state.stream, 0, nullptr, nullptr, nullptr);
  state.next += skipped;
  state.base = state.next;
  state.mid_file = true;
  taken += skipped;
  feed(count);
  return taken;
}

bool RegexSearch::finish(MatchQueue& matches) {
  State& state = *state_;
  if (!state.hand_over(matches)) return false;
  state.keeping = matches.keeping();
  if (state.stream != nullptr) {
    // `$` is told only now.
    hs_close_stream(std::exchange(state.stream, nullptr), state.scratch.get(), &State::on_match, &state);
  }
  state.emit_pending();
  return state.hand_over(matches);
}

}  // namespace ranged
