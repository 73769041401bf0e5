/** The person who decides, as the log names them by default: the user of the system. */
import { userInfo } from 'node:os'

/** Empty for a user without an entry in the system. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    return ''
  }
}
