#include "tui/list.h"

static void clamp_top(struct list *list, size_t count)
{
    if (list->at < list->top)
        list->top = list->at;
    if (list->rows && list->at >= list->top + list->rows)
        list->top = list->at - list->rows + 1;
    size_t last_top = count > list->rows ? count - list->rows : 0;
    if (list->top > last_top)
        list->top = last_top;
}

void list_sync(struct list *list, const struct list_source *source, size_t rows)
{
    size_t count = source->count(source->data);
    list->rows = rows;
    if (!count) {
        list->at = list->top = 0;
        return;
    }
    if (!list->started || list->at >= count || source->id(source->data, list->at) != list->id) {
        size_t row = list->at >= list->top ? list->at - list->top : 0;
        size_t found = count;
        for (size_t i = 0; list->started && i < count && found == count; i++)
            if (source->id(source->data, i) == list->id)
                found = i;
        if (found < count) {
            list->at = found;
            list->top = found >= row ? found - row : 0;
        } else if (list->at >= count) {
            list->at = count - 1;
        }
        list->id = source->id(source->data, list->at);
        list->started = true;
    }
    clamp_top(list, count);
}

void list_draw(struct list *list, const struct list_source *source, const struct canvas *canvas,
               bool focus)
{
    list_sync(list, source, canvas->h > 0 ? (size_t)canvas->h : 0);
    size_t count = source->count(source->data);
    for (size_t row = 0; row < list->rows && list->top + row < count; row++) {
        size_t index = list->top + row;
        source->draw(source->data, canvas, (int)row, index);
        if (index == list->at && focus)
            canvas_reverse(canvas, 0, (int)row, canvas->w);
    }
}

void list_select(struct list *list, const struct list_source *source, size_t index)
{
    size_t count = source->count(source->data);
    if (!count)
        return;
    list->at = index < count ? index : count - 1;
    list->id = source->id(source->data, list->at);
    list->started = true;
    clamp_top(list, count);
}

bool list_request(struct list *list, const struct list_source *source, enum request request, int y)
{
    size_t count = source->count(source->data);
    size_t page = list->rows > 1 ? list->rows - 1 : 1;
    size_t at = list->at;
    switch (request) {
    case REQ_UP:
        at -= at > 0;
        break;
    case REQ_DOWN:
        at++;
        break;
    case REQ_PAGE_UP:
        at = at > page ? at - page : 0;
        break;
    case REQ_PAGE_DOWN:
        at += page;
        break;
    case REQ_HOME:
        at = 0;
        break;
    case REQ_END:
        at = count;
        break;
    case REQ_WHEEL_UP:
        at = at > 3 ? at - 3 : 0;
        break;
    case REQ_WHEEL_DOWN:
        at += 3;
        break;
    case REQ_CLICK:
        if (y < 0 || (size_t)y >= list->rows || list->top + (size_t)y >= count)
            return false;
        at = list->top + (size_t)y;
        break;
    default:
        return false;
    }
    list_select(list, source, at);
    return true;
}
