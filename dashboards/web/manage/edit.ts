// What two people edit at the same time: whoever saves second is told, and loses nothing
// of what he typed.
import { shallowRef, watch, type Ref } from 'vue'
import { changedTo } from '../shared/api'

export interface Edited<T> {
  /** What somebody else has made of it meanwhile; undefined while nobody has. */
  theirs: Ref<T | undefined>
  /** Carries act out over what the person has seen. Where that is no longer there it fails
   *  and theirs tells what is; once that was told, the same again goes over it. */
  save(act: (seen: T | undefined) => Promise<unknown>): Promise<void>
}

/** Guards what was read from a path. A change that left alike, for this page, what it had
 *  seen is none. */
export function useEdited<T extends object>(read: Ref<T | undefined>, alike: (a: T, b: T) => boolean): Edited<T> {
  const theirs = shallowRef<T>() as Ref<T | undefined>
  let seen: T | undefined
  watch(read, (now) => ((seen = now), (theirs.value = undefined)), { immediate: true, flush: 'sync' })

  async function save(act: (seen: T | undefined) => Promise<unknown>) {
    for (;;) {
      try {
        await act(seen)
        theirs.value = undefined
        return
      } catch (e) {
        const now = changedTo<T>(e)
        if (!now) throw e
        const same = seen && alike(seen, now)
        seen = now
        if (same) continue
        theirs.value = now
        throw e
      }
    }
  }
  return { theirs, save }
}
