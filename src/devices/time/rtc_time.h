/* SPDX-License-Identifier: MIT */
/* Calendar arithmetic and number formats of the MC146818; no device state. */
#ifndef EMU_DEVICES_RTC_TIME_H
#define EMU_DEVICES_RTC_TIME_H

#include "base/types.h"

/* Binary, ranges as the chip's: hour 0..23, weekday 1..7 (1 is Sunday), day and month from 1, year with century. */
struct rtc_time { int second, minute, hour, weekday, day, month, year; };

/* Seconds since 1970 of a time; fields out of range are brought into it (a guest may write anything). */
s64 rtc_seconds(const struct rtc_time *t);
struct rtc_time rtc_broken_down(s64 seconds);

/* A register's byte from a number and back, in BCD or binary; hours also with AM and PM (bit 7). */
u8 rtc_encode(int n, bool binary);
int rtc_decode(u8 v, bool binary);
u8 rtc_encode_hour(int hour, bool binary, bool h24);
int rtc_decode_hour(u8 v, bool binary, bool h24);

/* The first second after `seconds` that an alarm of these decoded fields (-1: any) matches; INT64_MAX: never. */
s64 rtc_next_alarm(s64 seconds, int hour, int minute, int second);

#endif
