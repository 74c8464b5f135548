import { createApp } from 'vue'
import '../shared/base.css'
import { startLanguage } from '../shared/i18n'
import { startSession } from '../shared/session'
import App from './App.vue'
import { startDisplay } from './display'
import { startInstall } from './install'
import './field.css'

startDisplay()
await startLanguage()
createApp(App).mount('#app')
void startSession()
startInstall()
