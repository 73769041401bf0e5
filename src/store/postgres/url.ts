/** The URLs of databases, told apart from directories. */

export const isDatabaseUrl = (text: unknown): text is string =>
  typeof text === 'string' && /^postgres(?:ql)?:\/\//.test(text)

/** Whether it has a password, which other users of the machine can read in the words of a command. */
export const hasPassword = (url: string): boolean =>
  /^[a-z]+:\/\/[^/?#]*:[^/?#]+@/.test(url) || /[?&]password=/i.test(url) || isCutOff(url)

/** For messages. */
export const withoutPassword = (url: string): string =>
  url
    .replace(/^([a-z]+:\/\/[^:/?#@]*):[^/?#]*@/, '$1@')
    .replace(/([?&])password=[^&]*(&|$)/i, (_, before, after) => (after === '' ? '' : before))

/** Whether its password has a character that ends the part of a URL with the password, so that the rest is taken for more. */
export const isCutOff = (url: string): boolean => /^[a-z]+:\/\/[^/?#@]*:[^/?#@]*[/?#][^=]*@/.test(url)
