/* SPDX-License-Identifier: MIT */
#include "devices/time/rtc_time.h"

#define DAY 86400

static int in_range(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* Days since 1970-01-01 in the Gregorian calendar: years are counted from March, so that the leap day comes last. */
static s64 days_of(int year, int month, int day)
{
    s64 y = year - (month <= 2);
    s64 era = (y >= 0 ? y : y - 399) / 400;
    s64 year_of_era = y - era * 400;
    s64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of(s64 days, struct rtc_time *t)
{
    s64 z = days + 719468;
    s64 era = (z >= 0 ? z : z - 146096) / 146097;
    s64 doe = z - era * 146097;
    s64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    s64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    s64 mp = (5 * doy + 2) / 153;
    t->day = doy - (153 * mp + 2) / 5 + 1;
    t->month = mp < 10 ? mp + 3 : mp - 9;
    t->year = yoe + era * 400 + (t->month <= 2);
}

s64 rtc_seconds(const struct rtc_time *t)
{
    s64 days = days_of(in_range(t->year, 0, 9999), in_range(t->month, 1, 12), in_range(t->day, 1, 31));
    return days * DAY + in_range(t->hour, 0, 23) * 3600 + in_range(t->minute, 0, 59) * 60 + in_range(t->second, 0, 59);
}

struct rtc_time rtc_broken_down(s64 seconds)
{
    s64 days = (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
    int rest = seconds - days * DAY;
    struct rtc_time t = { .second = rest % 60, .minute = rest / 60 % 60, .hour = rest / 3600 };
    t.weekday = ((days + 4) % 7 + 7) % 7 + 1;   /* 1970-01-01 was a Thursday */
    date_of(days, &t);
    return t;
}

u8 rtc_encode(int n, bool binary)
{
    return binary ? n : n / 10 % 10 << 4 | n % 10;
}

int rtc_decode(u8 v, bool binary)
{
    return binary ? v : (v >> 4) * 10 + (v & 15);
}

u8 rtc_encode_hour(int hour, bool binary, bool h24)
{
    if (h24)
        return rtc_encode(hour, binary);
    int twelve = hour % 12 ? hour % 12 : 12;
    return rtc_encode(twelve, binary) | (hour >= 12 ? 0x80 : 0);
}

int rtc_decode_hour(u8 v, bool binary, bool h24)
{
    if (h24)
        return rtc_decode(v, binary);
    return rtc_decode(v & 0x7f, binary) % 12 + (v & 0x80 ? 12 : 0);
}

static bool matches(int field, int now)
{
    return field < 0 || field == now;
}

/* Steps over whole hours and minutes that cannot match, so at most some 150 steps a day. */
s64 rtc_next_alarm(s64 seconds, int hour, int minute, int second)
{
    s64 t = seconds + 1;
    if (hour > 23 || minute > 59 || second > 59)
        return INT64_MAX;
    while (t <= seconds + 2 * DAY) {
        struct rtc_time now = rtc_broken_down(t);
        if (!matches(hour, now.hour))
            t += 3600 - (now.minute * 60 + now.second);
        else if (!matches(minute, now.minute))
            t += 60 - now.second;
        else if (!matches(second, now.second))
            t++;
        else
            return t;
    }
    return INT64_MAX;
}
