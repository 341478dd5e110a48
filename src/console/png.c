/* SPDX-License-Identifier: MIT */
/* PNG files (libpng's simplified interface). */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "console/display.h"

/* libpng takes bytes: red, green, blue. */
static u8 *to_bytes(const u32 *pixels, size_t count)
{
    u8 *bytes = malloc(3 * count);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            bytes[3 * i + k] = pixels[i] >> (16 - 8 * k);
    return bytes;
}

int png_write(const char *path, const u32 *pixels, unsigned width, unsigned height, struct error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB };
    FILE *f = fopen(path, "wb");
    if (!f)
        return error_set(err, "screenshot %s: %s", path, strerror(errno));
    u8 *bytes = to_bytes(pixels, (size_t)width * height);
    int ok = png_image_write_to_stdio(&image, f, 0, bytes, 0, NULL);
    free(bytes);
    errno = 0;
    if (fclose(f) || !ok)
        return error_set(err, "screenshot %s: %s", path, errno ? strerror(errno) : image.message);
    return 0;
}
