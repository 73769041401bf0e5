/** Answers in a form: the model is bound to a JSON Schema, and its answer is decoded before it is used. */
import { catchError, concatMap, from, map, type Observable, of } from 'rxjs'
import { JSONParseError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, joined } from './answers.ts'
import { type Ask, runStep, type Step, type StepOptions } from './pattern.ts'

/** A form without a schema library: a JSON Schema and a decoder. */
export interface PlainForm {
  readonly jsonSchema: JsonObject
  /** Returns the decoded value. Throws if the value does not match the form. */
  readonly decode: (value: unknown) => unknown
}

/** A schema of any library that implements Standard Schema and Standard JSON Schema (standardschema.dev). */
export interface StandardForm {
  readonly '~standard': {
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>
    readonly jsonSchema: {
      readonly input: (options: { readonly target: 'draft-07' }) => Record<string, unknown>
    }
  }
}

type StandardResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] }

interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The form of an answer: a JSON Schema with a decoder, or a Standard Schema. */
export type OutputForm = PlainForm | StandardForm

/** Asks for an answer in a form; its text is the JSON of the decoded value. A second mismatch is a JSONParseError. */
export function askInForm(
  ask: Ask,
  step: Step,
  task: TaskInput,
  form: OutputForm,
  options: StepOptions = {},
): Observable<Answer> {
  const { jsonSchema, decode } = plainForm(form)
  const attempt = (input: TaskInput) =>
    joined(runStep(ask, step, input, { ...options, outputSchema: jsonSchema })).pipe(
      concatMap((answer) =>
        answer.error === undefined
          ? from(encoded(answer.text, decode)).pipe(map((text) => ({ ...answer, text })))
          : of(answer),
      ),
    )
  return attempt(task).pipe(
    catchError((error: unknown) => {
      if (!(error instanceof JSONParseError)) throw error
      const prompt = `${task.prompt}\n\nYour last answer was not of the form that was asked for: ${error.details.said}`
      return attempt({ ...task, prompt })
    }),
  )
}

/** The JSON of the decoded value. */
async function encoded(text: string, decode: (value: unknown) => unknown): Promise<string> {
  try {
    return JSON.stringify(await decode(JSON.parse(text)))
  } catch (cause) {
    throw new JSONParseError({ said: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
}

function described({ message, path = [] }: Issue): string {
  const where = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
  return where === '' ? message : `${where}: ${message}`
}

function plainForm(form: OutputForm): PlainForm {
  if (!('~standard' in form)) return form
  const { validate, jsonSchema } = form['~standard']
  return {
    jsonSchema: jsonSchema.input({ target: 'draft-07' }) as JsonObject,
    async decode(value) {
      const result = await validate(value)
      if (result.issues === undefined) return result.value
      throw new Error(result.issues.map(described).join('; '))
    },
  }
}
