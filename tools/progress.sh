# SPDX-License-Identifier: MIT
# For the scripts here that take long: a line on the terminal that says what is done now, and is gone afterwards. Nothing in a
# pipe, and nothing where a line cannot be erased. No colour, so NO_COLOR has nothing to ask for.
progress_seen() { [ -t 2 ] && [ -n "${TERM:-}" ] && [ "$TERM" != dumb ]; }
progress() {
    progress_seen || return 0
    printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$*" >&2
}
progress_end() {
    progress_seen || return 0
    printf '\r\033[K' >&2
}
