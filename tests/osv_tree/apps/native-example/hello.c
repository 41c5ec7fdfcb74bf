/* Linked at 0x1000, so that a crash at 0x100000001004 is in main(). */
int main(void)
{
    return 0;
}
