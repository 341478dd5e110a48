# SPDX-License-Identifier: MIT
# Three sentences.
# file: report.md
# expect: a report | wrong answer | report.md has 249 words; 300 are expected at least (people read them)
20,$d
