#include "views/sanitize.h"

#include <string.h>

/* A control sequence has ended with `final`: SGR is kept, all others go. */
static void end_csi(struct sanitize *s, char final, struct str *out)
{
    s->state = SANITIZE_TEXT;
    s->csi[s->csi_length] = '\0';
    bool whole = s->csi_length + 1 < sizeof s->csi;
    if (final != 'm' || !s->colors || !whole || strspn(s->csi, "0123456789;:") != s->csi_length)
        return;
    s->colored = strspn(s->csi, "0;") != s->csi_length;
    str_addf(out, "\033[%sm", s->csi);
}

static void text_byte(struct sanitize *s, unsigned char c, struct str *out)
{
    bool after_cr = s->after_cr;
    s->after_cr = false;
    if (after_cr)
        str_add_char(out, '\n');
    if (s->after_c2) { /* U+0080..U+009F are controls too */
        s->after_c2 = false;
        if (c >= 0x80 && c < 0xa0)
            return;
        str_add_char(out, '\xc2');
    }
    if (c == 0x1b)
        s->state = SANITIZE_ESC;
    else if (c == 0xc2)
        s->after_c2 = true;
    else if (c == '\r')
        s->after_cr = true;
    else if (c == '\n' && after_cr)
        return;
    else if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f))
        str_add_char(out, (char)c);
}

void sanitize_text(struct sanitize *s, const char *bytes, size_t length, struct str *out)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        switch (s->state) {
        case SANITIZE_TEXT:
            text_byte(s, c, out);
            break;
        case SANITIZE_ESC:
            s->csi_length = 0;
            s->state = c == '['                  ? SANITIZE_CSI
                       : c && strchr("]PX^_", c) ? SANITIZE_STRING
                                                 : SANITIZE_TEXT;
            break;
        case SANITIZE_CSI:
            if (c >= 0x40 && c <= 0x7e)
                end_csi(s, (char)c, out);
            else if (c < 0x20)
                s->state = SANITIZE_TEXT; /* broken off */
            else if (s->csi_length + 1 < sizeof s->csi)
                s->csi[s->csi_length++] = (char)c;
            break;
        case SANITIZE_STRING:
            if (c == 0x07 || c == '\n')
                s->state = SANITIZE_TEXT;
            else if (c == 0x1b)
                s->state = SANITIZE_STRING_ESC;
            break;
        case SANITIZE_STRING_ESC:
            s->state = SANITIZE_TEXT;
            break;
        }
    }
}
